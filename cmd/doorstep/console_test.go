package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// manual returns the code block after a mark, <!-- test: name -->, of a page of the manual.
func manual(t *testing.T, page, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "<!-- test: "+name+" -->\n```")
	_, rest, open := strings.Cut(rest, "\n")
	block, _, closed := strings.Cut(rest, "\n```")
	if !ok || !open || !closed {
		t.Fatalf("%s has no block %q", page, name)
	}
	return block + "\n"
}

// console runs the commands of a block in dir, and wants them to print what stands there.
func console(t *testing.T, dir, block string) {
	t.Helper()
	var got strings.Builder
	for line := range strings.Lines(block) {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		got.WriteString(line)
		command = strings.TrimSpace(command)
		if !strings.HasPrefix(command, "doorstep sieve ") { // which has no configuration
			command += " -c doorstep.toml" // the manual's is in the default place
		}
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		got.Write(out)
		if err != nil && len(out) == 0 {
			fmt.Fprintf(&got, "%v\n", err)
		}
	}
	if d := cmp.Diff(block, got.String()); d != "" {
		t.Errorf("the manual says otherwise (-manual +doorstep):\n%s\nall of it:\n%s", d, got.String())
	}
}

// TestSQLiteManual runs what docs/sqlite.md shows.
func TestSQLiteManual(t *testing.T) {
	dir := place(t)
	configuration := strings.NewReplacer("/var/lib/doorstep", dir, "/run/doorstep",
		dir).Replace(manual(t, "sqlite.md", "sqlite configuration"))
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	console(t, dir, manual(t, "sqlite.md", "sqlite"))
}

// TestSeveralDirectoriesManual runs what docs/sqlite.md shows of an address that two of them have.
func TestSeveralDirectoriesManual(t *testing.T) {
	dir := place(t)
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("alice@example.org:::::/srv/home/alice:\nbob@example.org:::::/srv/home/bob:\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	frame, _, _ := strings.Cut(manual(t, "sqlite.md", "sqlite configuration"), "[[directory]]")
	yielding := strings.NewReplacer("/var/lib/doorstep", dir, "/run/doorstep", dir, "/etc/dovecot/users",
		users).Replace(frame + manual(t, "sqlite.md", "twice configuration"))
	rewrite(t, dir, yielding)
	console(t, dir, "$ doorstep domain add example.org\n$ doorstep user add alice@example.org\n"+
		"doorstep: warning: alice@example.org is in accounts and old, the first counts\n")
	rewrite(t, dir, strings.Replace(yielding, `claimed_twice = "first"`, "", 1))
	console(t, dir, manual(t, "sqlite.md", "twice"))
}

// TestSieveManual runs what docs/sieve-trace.md shows.
func TestSieveManual(t *testing.T) {
	dir := place(t)
	for name, block := range map[string]string{"filter.sieve": "trace script", "mail.eml": "trace mail"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(manual(t, "sieve-trace.md", block)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	console(t, dir, manual(t, "sieve-trace.md", "trace"))
}

// TestSieveProgramsManual runs what docs/sieve.md shows of programs, as the present user.
func TestSieveProgramsManual(t *testing.T) {
	dir := place(t)
	programs := filepath.Join(dir, "programs")
	if err := os.Mkdir(programs, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"filter.sieve": manual(t, "sieve.md", "programs script"), "programs/rate": manual(t, "sieve.md", "programs rate"),
		"mail.eml": "Subject: An offer\r\n\r\nBuy now!\r\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	me := fmt.Sprint("--as ", os.Geteuid())
	console(t, dir, strings.ReplaceAll(manual(t, "sieve.md", "programs"), "--as alice", me))
}
