package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// TestSessions plays every recorded session, over a pipe and over a Unix socket, in lock-step,
// in one write and octet for octet.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("../testdata/sessions/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		script, err := lmtptest.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		ways := []lmtptest.Delivery{lmtptest.LockStep, lmtptest.OneWrite, lmtptest.Octets}
		if script.LockStep {
			ways = ways[:1]
		}
		for _, how := range ways {
			for _, network := range []string{"pipe", "unix"} {
				name := strings.TrimSuffix(filepath.Base(file), ".txt") + "/" + network + "/" + how.String()
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f := newFixture(t, script.Protocol)
					f.with(t, script.With)
					if err := script.Play(f.connect(t, network), how); err != nil {
						t.Fatalf("%v\nlog:\n%s", err, f.log.String())
					}
					f.shutdown(t)
					f.check(t, script.Checks)
				})
			}
		}
	}
}

// TestSessionsWithDSN: what a sender wants to hear of a message changes no reply (DSN-15, RFC 3461 §5.1).
func TestSessionsWithDSN(t *testing.T) {
	files, err := filepath.Glob("../testdata/sessions/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		for _, notify := range []string{"NEVER", "SUCCESS,FAILURE"} {
			script, err := lmtptest.Read(file)
			must(t, err)
			if !script.Add(" RET=HDRS ENVID=e+2B1", " NOTIFY="+notify+" ORCPT=rfc822;x+2By@src.example") {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+notify, func(t *testing.T) {
				t.Parallel()
				script.With = append(script.With, "dsn")
				newFixture(t, script.Protocol).playScript(t, script)
			})
		}
	}
}

// playScript plays a session step by step, over a pipe, and checks what it leaves.
func (f *fixture) playScript(t *testing.T, script *lmtptest.Script) {
	t.Helper()
	f.with(t, script.With)
	f.talk(t, "pipe", script)
	f.shutdown(t)
	f.check(t, script.Checks)
}

// say plays a session that is not in a file.
func (f *fixture) say(t *testing.T, network, session string) {
	t.Helper()
	script, err := lmtptest.Parse("session", session)
	must(t, err)
	f.talk(t, network, script)
}

// talk plays a session step by step.
func (f *fixture) talk(t *testing.T, network string, script *lmtptest.Script) {
	t.Helper()
	if err := script.Play(f.connect(t, network), lmtptest.LockStep); err != nil {
		t.Fatalf("%v\nlog:\n%s", err, f.log.String())
	}
}

// A fixture is a server with the accounts that sessions are about.
type fixture struct {
	root   string
	log    *syncBuffer
	server *lmtp.Server
	agent  *delivery.Agent
	router *route.Router
	box    *outbox.Box // nil: it makes no reports
}

func newFixture(t *testing.T, protocol string) *fixture {
	t.Helper()
	f := &fixture{root: t.TempDir(), log: &syncBuffer{}}
	store, err := mailbox.New(mailbox.Options{Create: true, Host: "mx.dst.example", Durability: mailbox.None})
	if err != nil {
		t.Fatal(err)
	}
	log := guardtest.Watch(t, slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	f.router = &route.Router{
		Resolver: newResolver(t),
		Layout:   route.Layout(f.root + "/{domain}/{local}/Maildir"),
		Store:    store,
	}
	f.agent = &delivery.Agent{Router: f.router, Store: store, Log: log}
	limits := lmtp.Limits{MessageSize: 10000}
	f.server = &lmtp.Server{Handler: f.agent, Hostname: "mx.dst.example", Limits: limits, Log: log}
	if protocol == "esmtp" {
		f.server.Protocol = lmtp.ESMTP
	}
	// The Maildir of broken is a file.
	dir := filepath.Join(f.root, "dst.example", "broken")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "Maildir"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(f.root, "dst.example", "full", "Maildir")
	for _, sub := range []string{"tmp", "new", "cur"} {
		must(t, os.MkdirAll(filepath.Join(full, sub), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(full, "cur", "1.a:2,S"), make([]byte, 2000), 0o600))
	return f
}

// quotas are those of accounts that have one. In full there is a message of 2000 octets.
var quotas = map[string]directory.Quota{"full": {Bytes: 1000}, "small": {Bytes: 2000, Messages: 10}}

// newResolver knows dst.example, also as bücher.example, and catch.example.
func newResolver(t *testing.T) *route.Resolver {
	t.Helper()
	domains := route.Domains{}
	fold := address.LocalPolicy{Fold: true}
	must(t, domains.Add(&route.Domain{Name: "dst.example", Key: "dst.example", Policy: fold, Subaddress: "+"},
		"xn--bcher-kva.example"))
	must(t, domains.Add(&route.Domain{Name: "fass.example", Key: "fass.example", Policy: fold,
		CatchAll: route.Named{Key: directory.Key{Local: "u2", Domain: "dst.example"}}}))
	must(t, domains.Add(&route.Domain{Name: "catch.example", Key: "catch.example", Policy: fold,
		CatchAll: route.Named{Key: directory.Key{Local: "u2", Domain: "dst.example"}}}))
	accounts := static.New()
	for _, local := range []string{"u1", "u2", "u3", "kate", "broken", "josé", "off", "busy", "full", "small", "legacy",
		"straße", "σοφος", strings.Repeat("ü", 32)} {
		a := &directory.Account{Address: local + "@dst.example", Key: directory.Key{Local: local, Domain: "dst.example"}}
		a.ASCIIOnly = local == "legacy"
		owned(a)
		a.Quota = quotas[local]
		a.Disabled = map[string]string{"off": "reject", "busy": "defer"}[local]
		var aliases []directory.Key
		if local == "u1" {
			aliases = append(aliases, directory.Key{Local: "sales", Domain: "dst.example"})
		}
		must(t, accounts.Add(a, aliases...))
	}
	must(t, accounts.AddAlias(directory.Key{Local: "team", Domain: "dst.example"}, "u1@dst.example", "u2@dst.example"))
	must(t, accounts.AddAlias(directory.Key{Local: "crew", Domain: "dst.example"}, "u2@dst.example", "broken@dst.example"))
	return &route.Resolver{
		Domains:    domains,
		Directory:  moody{accounts},
		Postmaster: route.Named{Key: directory.Key{Local: "u3", Domain: "dst.example"}},
	}
}

// moody is a directory that cannot answer for dirdown.
type moody struct{ directory.Directory }

func (m moody) Lookup(ctx context.Context, key directory.Key) (directory.Entry, error) {
	if key.Local == "dirdown" {
		return directory.Entry{}, errors.New("connection refused")
	}
	return m.Directory.Lookup(ctx, key)
}

// connect opens a connection that the server serves.
func (f *fixture) connect(t *testing.T, network string) net.Conn {
	t.Helper()
	if network == "pipe" {
		client, server := net.Pipe()
		go f.server.ServeConn(server)
		t.Cleanup(func() { client.Close() })
		return client
	}
	dir, err := os.MkdirTemp("", "ds") // t.TempDir can be too long for a socket's path
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	must(t, err)
	go f.server.Serve(l)
	client, err := net.Dial("unix", filepath.Join(dir, "s"))
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// shutdown ends the sessions, so that what they leave behind can be looked at.
func (f *fixture) shutdown(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(t, f.server.Shutdown(ctx))
}

// check looks at the mailboxes. Nothing may ever be left in tmp.
func (f *fixture) check(t *testing.T, checks []lmtptest.Check) {
	t.Helper()
	waiting := f.reports(t)
	litter, err := filepath.Glob(filepath.Join(f.root, "*", "*", "Maildir", "tmp", "*"))
	if err != nil || len(litter) > 0 {
		t.Errorf("tmp is not clean: %v %v", litter, err)
	}
	for _, c := range checks {
		messages := f.messages(t, c.Mailbox)
		switch c.Kind {
		case "in":
			if want := c.Value; want != strconv.Itoa(len(messages)) {
				t.Errorf("line %d: %s holds %d messages, want %s", c.Line, c.Mailbox, len(messages), want)
			}
		case "content":
			want, err := lmtptest.Unescape(c.Value)
			must(t, err)
			if _, content := splitTrace(messages); content != want {
				t.Errorf("line %d: content of %s is %q, want %q", c.Line, c.Mailbox, content, want)
			}
		case "header":
			trace, _ := splitTrace(messages)
			if !regexp.MustCompile("(?m)" + c.Value).MatchString(trace) {
				t.Errorf("line %d: trace fields of %s do not match %s:\n%s", c.Line, c.Mailbox, c.Value, trace)
			}
		case "reports":
			if got := slices.Sorted(maps.Keys(waiting)); strings.Join(got, " ") != c.Value {
				t.Errorf("line %d: reports wait on %q, want %q\n%s", c.Line, got, c.Value, f.log.String())
			}
		case "report":
			if facts := waiting[c.Mailbox]; !regexp.MustCompile("(?m)" + c.Value).MatchString(facts) {
				t.Errorf("line %d: the report on %s does not match %s:\n%s", c.Line, c.Mailbox, c.Value, facts)
			}
		}
	}
}

// messages returns what is in the mailbox of a local part.
func (f *fixture) messages(t *testing.T, local string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(f.root, "dst.example", local, "Maildir", "new", "*"))
	must(t, err)
	var messages []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		messages = append(messages, string(text))
	}
	return messages
}

// splitTrace separates our three trace fields, unfolded, and an Original-Recipient among them, from what was sent.
func splitTrace(messages []string) (trace, content string) {
	if len(messages) == 0 {
		return "", ""
	}
	lines := strings.SplitAfter(messages[0], "\n")
	fields := 0
	for i, line := range lines {
		if !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "Original-Recipient: ") {
			if fields++; fields > 3 {
				trace = strings.Join(lines[:i], "")
				return strings.ReplaceAll(trace, "\n\t", " "), strings.Join(lines[i:], "")
			}
		}
		if fields == 3 && strings.Contains(line, "; ") {
			trace = strings.Join(lines[:i+1], "")
			return strings.ReplaceAll(trace, "\n\t", " "), strings.Join(lines[i+1:], "")
		}
	}
	return messages[0], ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A syncBuffer is a log that several sessions write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
