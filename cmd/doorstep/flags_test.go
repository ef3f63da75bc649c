package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// leaves calls f with each verb that does something, and the words that call it.
func leaves(cmd *cobra.Command, words []string, f func(cmd *cobra.Command, words []string)) {
	for _, below := range cmd.Commands() {
		leaves(below, append(slices.Clone(words), below.Name()), f)
	}
	if !cmd.HasSubCommands() {
		f(cmd, words)
	}
}

// internals are words of Go and its libraries that no message may have.
var internals = regexp.MustCompile(`strconv|time: |invalid syntax|invalid argument|value out of range|parsing |unmarshal|reflect|runtime error|goroutine|panic|%!|\*[a-z]+\.[A-Z]|pflag|cobra|main\.`)

// TestWrongValues: whatever is wrong in the value of whatever flag of whatever verb, it is said in words of the command
// line, with a hint.
func TestWrongValues(t *testing.T) {
	dir := place(t)
	t.Chdir(dir)
	rewrite(t, dir, controlled(adminConfig+"[[directory]]\ndriver = \"sqlite\"\nfile = \"a.db\"\n"))
	file := []string{"-c", "doorstep.toml"}
	for _, args := range [][]string{{"domain", "add", "example.com"}, {"user", "add", "carol@example.com"}} {
		if _, errs, code := doorstep(t, dir, append(args, file...)...); code != cli.ExitOK {
			t.Fatal(errs)
		}
	}
	right := map[string][]string{ // what else the verb needs, so that it comes to the flag
		"send":     {"--server", "unix:nothing", "--wait", "0", "--to", "a@example.org", "--count", "2"},
		"user add": {"-c", "doorstep.toml", "dave@example.com"}, "user set": {"-c", "doorstep.toml", "carol@example.com"},
		"mailbox messages": {"alice@example.org"},
	}
	values := []string{"abc", "-7", "NaN", "1e999", "99999999999999999999999", "0x", "1.5.5", "5 apples", "\x1b[2J", "用户",
		"5m5", "-3s", "yes"}
	flags := 0
	leaves(rootCommand(), nil, func(cmd *cobra.Command, words []string) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			flags++
			for _, value := range values {
				args := append(slices.Clone(words), right[strings.Join(words, " ")]...)
				args = append(args, "--"+f.Name+"="+value)
				var out, errs bytes.Buffer
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				code := run(ctx, args, strings.NewReader(""), &out, &errs)
				cancel()
				said := errs.String()
				if internals.MatchString(said) || strings.Contains(said, "\x1b") {
					t.Errorf("%q says %q", args, said)
				}
				switch f.Value.Type() {
				case "bool", "int", "float64", "duration":
					if code == cli.ExitOK || !strings.Contains(said, f.Name) || !strings.Contains(said, "hint: ") {
						t.Errorf("%q: exit status %d, and %q", args, code, said)
					}
				}
			}
		})
	})
	if flags < 50 {
		t.Errorf("only %d flags", flags)
	}
}

// TestCompletion: flags that take a word offer it, and files are offered where a file is meant, and nowhere else.
func TestCompletion(t *testing.T) {
	offered := func(args ...string) (words []string, directive string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"__completeNoDesc"}, args...), strings.NewReader(""), &out,
			&errs); code != cli.ExitOK {
			t.Fatalf("%q: %s", args, &errs)
		}
		lines := strings.Fields(out.String())
		return lines[:len(lines)-1], lines[len(lines)-1]
	}
	const filesToo, noFiles = ":0", ":4"
	for _, c := range []struct {
		args      string
		words     string
		directive string
	}{
		{"send --protocol ", "lmtp esmtp", noFiles},
		{"send -p ", "lmtp esmtp", noFiles},
		{"send --body ", "auto 7bit 8bitmime none", noFiles},
		{"send --smtputf8 ", "auto always never", noFiles},
		{"send --tls ", "off starttls required implicit", noFiles},
		{"send --server ", "unix: tcp:", ":6"},
		{"send --to ", "", noFiles},
		{"send --count ", "", noFiles},
		{"send ", "", filesToo},
		{"send --ca ", "", filesToo},
		{"send --auth-password-file ", "", filesToo},
		{"check -c ", "", filesToo},
		{"check ", "", noFiles},
		{"reload --socket ", "", filesToo},
		{"man ", "", filesToo},
		{"lookup ", "", noFiles},
		{"deliver -f ", "", noFiles},
		{"user add --disabled ", "defer reject no", noFiles},
		{"user set a@example.org --eai ", "true false", noFiles},
		{"user set a@example.org --home ", "", filesToo},
		{"user set a@example.org --quota ", "", noFiles},
		{"user del ", "", noFiles},
		{"user ", "add del list set", noFiles},
		{"help user ", "add del list set", noFiles},
	} {
		words, directive := offered(strings.Split(c.args, " ")...)
		if strings.Join(words, " ") != c.words || directive != c.directive {
			t.Errorf("%q offers %q and %s, want %q and %s", c.args, words, directive, c.words, c.directive)
		}
	}
}
