package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReload changes the configuration of a running server: a new user is there at once, a session
// that is open sees it with its next transaction, and a file that is wrong changes nothing.
func TestReload(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(""))
	file := filepath.Join(dir, "doorstep.toml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(configuration, outcome string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(configuration), 0o644); err != nil {
			t.Fatal(err)
		}
		s.signal(t, syscall.SIGHUP)
		s.awaitLog(t, outcome)
	}
	open := session(t, dir)
	open.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	open.say("RCPT TO:<newcomer@example.org>", "550 5.1.1")

	after := string(before) + "\n[[user]]\naddress = \"newcomer@example.org\"\n"
	reload(after, "msg=\"configuration reloaded\"")
	open.say("RCPT TO:<newcomer@example.org>", "550 5.1.1") // the transaction began before
	open.say("RSET", "250 2.0.0")
	open.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	open.say("RCPT TO:<newcomer@example.org>", "250 2.1.5")
	open.say("RSET", "250 2.0.0")
	open.deliver("after the reload", "newcomer")
	wantStored(t, dir, "newcomer", "after the reload")

	reload(after+"\n[[user]]\nadress = \"wrong@example.org\"\n", "user[3].adress: unknown key")
	s.awaitLog(t, "msg=\"configuration not reloaded, the old one stays in force\"")
	open.deliver("after the mistake", "newcomer")
	wantStored(t, dir, "newcomer", "after the reload", "after the mistake")

	// Listeners go on offering what they offered, BINARYMIME for one, and so the store must go on
	// keeping what it kept.
	changed := strings.Replace(after, "[[listen]]", "[limits]\nmessage_size = \"1MiB\"\n[[listen]]", 1)
	changed = strings.Replace(changed, "[store]\n", "[store]\nnewline = \"crlf\"\n", 1)
	changed = strings.Replace(changed, "address = \"bob@example.org\"", "address = \"bob@example.org\"\nowner_since = \"2014-04-03\"", 1)
	reload(changed, "counts after a restart\" keys=\"[limits store user.owner_since]\"")
	open.deliver("in the old store", "bob")
	for _, text := range stored(t, dir, "bob") {
		if strings.Contains(text, "\r\n") {
			t.Errorf("stored with other line ends than at the start: %q", text)
		}
	}
	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
