package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
)

// TestDirectoryGoes: after a reload, status has the directories that are in force, and those alone.
func TestDirectoryGoes(t *testing.T) {
	dir := place(t)
	if err := os.WriteFile(filepath.Join(dir, "passwd"), []byte("carol@example.org:::::/nowhere::\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := func(name string) string {
		return plainConfig(adminConfig) + "[[directory]]\nname = \"" + name +
			"\"\ndriver = \"passwd-file\"\nfile = \"passwd\"\n"
	}
	s := serveConfig(t, dir, named("earlier"))
	s.awaitLog(t, "admin listener")
	asks := session(t, dir)
	asks.say("MAIL FROM:<a@src.example>", "250")
	asks.say("RCPT TO:<nobody@example.org>", "550 5.1.1")
	status := func() string {
		t.Helper()
		out, errs, code := doorstep(t, dir, "status", "-c", "doorstep.toml")
		if code != cli.ExitOK {
			t.Fatalf("exit status %d\n%s%s", code, out, errs)
		}
		_, tables, _ := strings.Cut(out, "\ndirectories\n")
		directories, _, _ := strings.Cut(tables, "\n\n")
		return directories
	}
	if out := status(); !strings.Contains(out, "users ") || !strings.Contains(out, "earlier ") {
		t.Errorf("before the reload\n%s", out)
	}
	rewrite(t, dir, named("later"))
	s.signal(t, syscall.SIGHUP)
	s.awaitLog(t, `msg="configuration reloaded"`)
	asks.say("RCPT TO:<nobody.else@example.org>", "550 5.1.1") // this session keeps what it began with
	if out := status(); !strings.Contains(out, "users ") || !strings.Contains(out, "later ") ||
		strings.Contains(out, "earlier") {
		t.Errorf("after the reload\n%s", out)
	}
}

// TestColumns: in each table that a verb prints, a column begins in the same place in all rows, however wide the
// letters before it are shown.
func TestColumns(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(adminConfig+"[[directory]]\ndriver = \"sqlite\"\nfile = \"a.db\"\n"))
	s.awaitLog(t, "admin listener")
	verb := func(args ...string) string {
		t.Helper()
		out, errs, code := doorstep(t, dir, append(args, "-c", "doorstep.toml")...)
		if code != cli.ExitOK {
			t.Fatalf("%q: exit status %d\n%s%s", args, code, out, errs)
		}
		return out
	}
	verb("domain", "add", "例え.example", "plain.example")
	for _, name := range []string{"用户@例え.example", "ｱﾄﾞﾚｽ@例え.example", "नमस्ते@例え.example", "wide@plain.example"} {
		verb("user", "add", name, "--quota", "1MiB")
		verb("alias", "add", "x"+name, name)
		c := session(t, dir)
		c.say("MAIL FROM:<a@src.example> SMTPUTF8", "250")
		c.say("RCPT TO:<"+name+">", "250")
		c.say("DATA", "354")
		c.say(message("x")+".", "250")
		c.say("QUIT", "221")
	}
	for _, table := range []struct {
		args   []string
		column string // what each row has in a column
	}{
		{[]string{"user", "list"}, "1MiB"},
		{[]string{"alias", "list"}, "→"},
		{[]string{"mailbox", "list"}, " 1048576 "},
		{[]string{"lookup", "用户@例え.example"}, "→"},
		{[]string{"status"}, "mean "},
	} {
		found := map[int]int{}
		rows := 0
		for row := range strings.Lines(verb(table.args...)) {
			before, _, ok := strings.Cut(row, table.column)
			if ok && strings.Contains(row, "example") {
				found[columns.Width(before)]++
				rows++
			}
		}
		if len(found) != 1 || rows < 2 {
			t.Errorf("%q: %q is in %d rows, in columns %v\n%s", table.args, table.column, rows, found, verb(table.args...))
		}
	}
}
