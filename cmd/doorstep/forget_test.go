package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// remembering has its accounts in SQLite, and remembers every answer for longer than a test lasts.
const remembering = `hostname = "mail.example.org"
[[listen]]
address = "unix:lmtp"
[control]
socket = "control"
[store]
path = "mail/{domain}/{local}/Maildir"
[[domain]]
name = "example.net"
[[directory]]
driver = "sqlite"
file = "accounts.db"
cache_ttl = "24h"
negative_ttl = "24h"
`

// silently runs a verb of accounts.db that must succeed and say nothing.
func silently(t *testing.T, dir, line string) {
	t.Helper()
	out, errs, code := doorstep(t, dir, strings.Fields(line+" -c doorstep.toml")...)
	if out != "" || errs != "" || code != 0 {
		t.Errorf("%s: %q, %q, exit status %d", line, out, errs, code)
	}
}

// TestChangesCountAtOnce: a running server remembers what it was answered, and forgets it when a verb has changed it:
// for the next recipient, also in a session that keeps an earlier configuration.
func TestChangesCountAtOnce(t *testing.T) {
	dir := place(t)
	rewrite(t, dir, remembering)
	silently(t, dir, "domain add example.org")
	silently(t, dir, "user add postmaster@example.org")
	serveDir(t, dir)
	before := session(t, dir)
	before.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	before.say("RCPT TO:<postmaster@example.org>", "250 2.1.5")
	if _, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
		t.Fatalf("reload: %q", errs)
	}
	after := session(t, dir)
	after.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	both := func(to, reply string) {
		t.Helper()
		for _, s := range []*dialogue{before, after} {
			s.say("RCPT TO:<"+to+">", reply)
		}
	}

	for _, step := range []struct{ to, before, verb, after string }{
		{"new@example.org", "550 5.1.1", "user add new@example.org", "250 2.1.5"},
		{"New@example.org", "250 2.1.5", "user set NEW@example.org --disabled defer", "450 4.2.1"},
		{"new@example.org", "450 4.2.1", "user set new@example.org --disabled no", "250 2.1.5"},
		{"用户@example.net", "550 5.1.1", "user add 用户@example.net", "250 2.1.5"},
		{"sales@example.org", "550 5.1.1", "alias add sales@example.org new@example.org", "250 2.1.5"},
		{"sales@example.org", "250 2.1.5", "alias del sales@example.org", "550 5.1.1"},
		{"any@example.org", "550 5.1.1", "alias add @example.org new@example.org", "250 2.1.5"},
		{"any@example.org", "250 2.1.5", "alias del @example.org", "550 5.1.1"},
		{"new@other.example", "550 5.1.2", "domain add --alias-of example.org other.example", "250 2.1.5"},
		{"new@other.example", "250 2.1.5", "domain del other.example", "550 5.1.2"},
		{"new@third.example", "550 5.1.2", "domain add third.example", "550 5.1.1"},
		{"new@third.example", "550 5.1.1", "user add new@third.example", "250 2.1.5"},
		{"new@third.example", "250 2.1.5", "domain del --force third.example", "550 5.1.2"},
		{"new@example.org", "250 2.1.5", "user del new@example.org", "550 5.1.1"},
	} {
		if strings.HasPrefix(step.to, "用") {
			for _, s := range []*dialogue{before, after} {
				s.say("RSET", "250 2.0.0")
				s.say("MAIL FROM:<a@src.example> SMTPUTF8", "250 2.1.0")
			}
		}
		both(step.to, step.before)
		silently(t, dir, step.verb)
		both(step.to, step.after)
	}
}

// TestChangesWithoutServer: where no server runs the verbs say nothing of it; where one does not answer they do, and
// the change is made.
func TestChangesWithoutServer(t *testing.T) {
	dir := place(t)
	rewrite(t, dir, remembering)
	silently(t, dir, "domain add example.org")
	socket := filepath.Join(dir, "control")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	silently(t, dir, "user add alice@example.org") // the socket is an earlier server's
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	mute, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mute.Close() })
	go func() {
		for conn, err := mute.Accept(); err == nil; conn, err = mute.Accept() {
			_ = conn.Close()
		}
	}()
	out, errs, code := doorstep(t, dir, "user", "add", "bob@example.org", "-c", "doorstep.toml")
	if out != "" || code != 0 || !strings.Contains(errs, "bob@example.org only after 24h0m0s") ||
		!strings.Contains(errs, "hint: doorstep reload") {
		t.Errorf("%q, %q, exit status %d", out, errs, code)
	}
	if out, _, _ := doorstep(t, dir, "user", "list", "-c", "doorstep.toml"); strings.Count(out, "\n") != 2 {
		t.Errorf("%q", out)
	}
}
