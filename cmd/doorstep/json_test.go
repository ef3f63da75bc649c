package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/check"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/cmd/internal/filter"
	"github.com/doorstep-mail/doorstep/cmd/internal/loadtest"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/trace"
	"github.com/doorstep-mail/doorstep/cmd/internal/outgoing"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/sieve/svtest"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// jsonVerbs are the verbs that print JSON: how the test calls them, and what they print.
var jsonVerbs = map[string]struct {
	args   []string
	form   any
	status int
}{
	"alias list":       {form: []listedAlias{}},
	"check":            {form: []config.Problem{}},
	"check --connect":  {form: check.Report{}},
	"config show":      {form: []shownSetting{}},
	"deliver":          {form: []dryAnswer{}, args: []string{"--dry-run", "alice@example.org"}},
	"domain list":      {form: []listedDomain{}},
	"lookup":           {form: lookupResult{}, args: []string{"alice+lists@example.org"}},
	"mailbox list":     {form: []listedMailbox{}},
	"mailbox messages": {form: []listedMessage{}, args: []string{"alice@example.org"}},
	"mailbox quota":    {form: []listedMailbox{}},
	"mailbox sweep":    {form: []sweptMailbox{}},
	"mailbox verify":   {form: []verifiedMailbox{}},
	"outbox flush":     {form: daemon.FlushReport{}},
	"outbox list":      {form: []outgoing.Listed{}},
	"outbox show":      {form: outgoing.Shown{}, args: []string{waitingEntry}},
	"reload":           {form: daemon.ReloadReport{}},
	"sieve check":      {form: []syntax.Problem{}, args: []string{"bad.sieve"}, status: 2},
	"sieve extensions": {form: []filter.Capability{}},
	"sieve run": {form: filter.Report{},
		args: []string{"good.sieve", "--message", "mail.eml", "--trace"}},
	"sieve test": {form: []svtest.Block{}, args: []string{"good.svtest"}},
	"send": {form: loadtest.Report{},
		args: []string{"--server", "unix:lmtp", "--to", "alice@example.org", "--count", "3"}},
	"status":    {form: status.Snapshot{}},
	"trace":     {form: trace.Line{}, args: []string{"unix"}},
	"upgrade":   {form: daemon.UpgradeReport{}},
	"user list": {form: []listedUser{}},
	"version":   {form: buildInfo{}},
}

// quietVerbs are those that have nothing to tell a program, besides their exit status.
var quietVerbs = []string{
	"alias add", "alias del", "completion bash", "completion fish", "completion powershell", "completion zsh",
	"config default",
	"config reference", "config schema", "domain add", "domain del", "help", "man", "outbox remove", "serve",
	"user add", "user del", "user set",
}

// TestEveryVerbIsKnownForJSON: a verb prints JSON, or is one of those that need not.
func TestEveryVerbIsKnownForJSON(t *testing.T) {
	var prints, quiet []string
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, below := range cmd.Commands() {
			walk(below)
		}
		name := strings.TrimPrefix(cmd.CommandPath(), "doorstep ")
		switch {
		case cmd.HasSubCommands():
		case cmd.Flags().Lookup("json") != nil:
			prints = append(prints, name)
		default:
			quiet = append(quiet, name)
		}
	}
	root := rootCommand()
	root.InitDefaultHelpCmd()
	walk(root)
	slices.Sort(prints)
	slices.Sort(quiet)
	verbs := slices.DeleteFunc(slices.Sorted(maps.Keys(jsonVerbs)), func(verb string) bool {
		return strings.Contains(verb, "--") // a verb that prints something else with a flag
	})
	if diff := cmp.Diff(verbs, prints) + cmp.Diff(quietVerbs, quiet); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestQueriesPrintJSON runs every verb that has --json against a running server: what it prints has the keys that
// docs/json.md has, and no other, and nothing else comes out with it.
func TestQueriesPrintJSON(t *testing.T) {
	dir := place(t)
	wait(t, filepath.Join(dir, "outbox"), waitingEntry)
	configuration := plainConfig("") + adminConfig + submissionConfig +
		"[control]\nsocket = \"control\"\n[[directory]]\ndriver = \"sqlite\"\nfile = \"accounts.db\"\n"
	rewrite(t, dir, configuration)
	for _, line := range []string{
		"domain add example.net", "domain add --alias-of example.net example.com",
		"user add carol@example.net --quota 2GiB --disabled defer --owner-since 2014-04-03",
		"alias add sales@example.net carol@example.net",
	} {
		verb := strings.Fields(line)
		if out, errs, code := doorstep(t, dir, append(verb, "-c", "doorstep.toml")...); code != 0 {
			t.Fatalf("%s: %s%s", line, out, errs)
		}
	}
	serveConfig(t, dir, configuration)
	session(t, dir).deliver("to look at", "alice", "bob")
	for name, text := range map[string]string{
		"bad.sieve": "fileinto \"A\";\n", "mail.eml": "Subject: hi\r\n\r\n",
		"good.sieve":  "if header \"subject\" \"hi\" { discard; }\n",
		"good.svtest": "require \"vnd.dovecot.testsuite\";\ntest \"a\" { if exists \"x\" { test_fail \"x\"; } }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	documented := documentedKeys(t)
	for _, verb := range slices.Sorted(maps.Keys(jsonVerbs)) {
		v := jsonVerbs[verb]
		t.Run(verb, func(t *testing.T) {
			if diff := cmp.Diff(jsonKeys(reflect.TypeOf(v.form), ""), documented[verb]); diff != "" {
				t.Errorf("docs/json.md (-is +documented)\n%s", diff)
			}
			args := append(strings.Fields(verb), v.args...)
			args = append(args, "--json")
			if verb != "send" && verb != "version" && !strings.HasPrefix(verb, "sieve ") {
				args = append(args, "-c", "doorstep.toml")
			}
			var out string
			if verb == "trace" {
				out = traced(t, dir, args)
			} else {
				var errs string
				var code int
				if out, errs, code = doorstep(t, dir, args...); code != v.status {
					t.Fatalf("exit status %d: %s", code, errs)
				}
			}
			d := json.NewDecoder(strings.NewReader(out))
			d.DisallowUnknownFields()
			got := reflect.New(reflect.TypeOf(v.form))
			if err := d.Decode(got.Interface()); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := d.Decode(new(any)); err != io.EOF && verb != "trace" {
				t.Errorf("more comes after it: %s", out)
			}
			if got.Elem().IsZero() || regexp.MustCompile(`:\s*null`).MatchString(out) {
				t.Errorf("nothing, or null: %s", out)
			}
		})
	}
}

// traced is a line of a trace.
func traced(t *testing.T, dir string, args []string) string {
	t.Helper()
	p, err := launch(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	if err := p.log.await("watching"); err != nil {
		t.Fatal(err)
	}
	session(t, dir).say("NOOP", "250 ")
	if err := p.out.await("}\n"); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGTERM)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	line, _, _ := strings.Cut(p.out.String(), "\n")
	return line
}

// jsonKeys are the keys of a form, those within another after a dot.
func jsonKeys(form reflect.Type, above string) (keys []string) {
	for form.Kind() == reflect.Slice || form.Kind() == reflect.Pointer {
		form = form.Elem()
	}
	if form.Kind() != reflect.Struct || form == reflect.TypeFor[time.Time]() {
		return nil
	}
	for i := range form.NumField() {
		field := form.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			keys = append(keys, jsonKeys(field.Type, above)...)
			continue
		}
		if !field.IsExported() {
			continue
		}
		keys = append(keys, above+name)
		keys = append(keys, jsonKeys(field.Type, above+name+".")...)
	}
	slices.Sort(keys)
	return keys
}

// documentedKeys reads the keys of each verb in docs/json.md.
func documentedKeys(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/json.md"))
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[string][]string{}
	for _, part := range regexp.MustCompile("(?ms)^## `([a-z -]+)`$.*?^Keys: (.*?)\n\n").
		FindAllStringSubmatch(string(page), -1) {
		for _, key := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(part[2], -1) {
			verbs[part[1]] = append(verbs[part[1]], key[1])
		}
		slices.Sort(verbs[part[1]])
	}
	return verbs
}
