package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// TestReloadWithBadCertificates: one that has expired is reported and used, as clients may not care; one
// that is none, or a key that every user may read, changes nothing. Mail goes on all the time.
func TestReloadWithBadCertificates(t *testing.T) {
	dir := place(t)
	certify(t, dir, time.Now().Add(30*24*time.Hour))
	config := controlled("[[listen]]\naddress = \"tcp:127.0.0.1:" + peer.FreePort(t) +
		"\"\nprotocol = \"esmtp\"\ntls = \"starttls\"\n[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n")
	serveConfig(t, dir, config)
	reload := func(want string, code int) {
		t.Helper()
		out, errs, got := doorstep(t, dir, "reload", "-c", "doorstep.toml")
		if got != code || strings.Count(out+errs, want) != 1 {
			t.Errorf("%q, %q, exit status %d; want %q once and %d", out, errs, got, want, code)
		}
		session(t, dir).deliver(want, "alice")
	}
	reload("nothing has changed", cli.ExitOK)
	certify(t, dir, time.Now().Add(-time.Hour))
	reload("the certificate has expired", cli.ExitOK)
	mode := func(mode os.FileMode) {
		if err := os.Chmod(filepath.Join(dir, "key.pem"), mode); err != nil {
			t.Fatal(err)
		}
	}
	mode(0o644)
	reload("the old configuration stays in force: \""+filepath.Join(dir, "key.pem")+"\" is open to every user",
		cli.ExitUsage)
	mode(0o600)
	put("key.pem", "no key", 0o600)(t, dir)
	reload("the old configuration stays in force: read certificate", cli.ExitUsage)
}

// TestControlSocketTaken: another's socket, or a directory that may not be written to, costs the
// control socket alone, and is said once.
func TestControlSocketTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, dir string)
		socket  string
		want    string
	}{
		"taken": {func(t *testing.T, dir string) { listenOn(t, "unix", filepath.Join(dir, "control")) }, "control",
			"a server is running there"},
		"a file":    {put("control", "mine", 0o600), "control", "there is something that is not a socket"},
		"read-only": {func(*testing.T, string) {}, "/proc/self/control", "bind: "}, // even for root
	} {
		t.Run(name, func(t *testing.T) {
			dir := place(t)
			tt.prepare(t, dir)
			s := serveConfig(t, dir, strings.Replace(controlled(""), `socket = "control"`, `socket = "`+tt.socket+`"`, 1))
			session(t, dir).deliver("without a control socket", "alice")
			log := s.log.String()
			if strings.Count(log, "no control socket") != 1 || !strings.Contains(log, tt.want) ||
				!strings.Contains(log, "hint=") {
				t.Errorf("log %q, want %q", log, tt.want)
			}
		})
	}
}

// TestClaimedTwice: an address that two directories have is deferred, and named with both, with a hint
// once; others' mail flows, in the same transaction too. When one has let go of it, so does its mail.
func TestClaimedTwice(t *testing.T) {
	dir := place(t)
	put("users", "Alice@example.org::::::\n", 0o600)(t, dir)
	s := serveConfig(t, dir, controlled("")+"[[directory]]\ndriver = \"passwd-file\"\nfile = \"users\"\n")
	d := session(t, dir)
	for range 3 {
		d.say("MAIL FROM:<a@src.example>", "250 ")
		d.say("RCPT TO:<ALICE+x@example.org>", "451 4.3.5 address has two mailboxes here")
		d.say("RCPT TO:<bob@example.org>", "250 ")
		d.say("RCPT TO:<nobody@example.org>", "550 5.1.1 ")
		d.say("DATA", "354 ")
		d.say("Subject: x\r\n\r\nx\r\n.", "250 ")
	}
	log := s.log.String()
	if n := strings.Count(log, `level=ERROR msg="several directories have this address, its mail is deferred" address=alice@example.org directories="[users passwd-file]" hint=`); n != 1 {
		t.Errorf("told %d times of alice: %s", n, log)
	}
	if n := strings.Count(log, `rule=claimed_twice`); n != 3 {
		t.Errorf("%d refusals with the reason: %s", n, log)
	}
	if err := os.Rename(filepath.Join(dir, "users"), filepath.Join(dir, "old")); err != nil {
		t.Fatal(err)
	}
	put("users", "# all moved\n", 0o600)(t, dir)
	peer.Await(t, patience, "mail for alice", func() bool {
		d := session(t, dir)
		defer d.conn.Close()
		d.say("MAIL FROM:<a@src.example>", "250 ")
		d.send("RCPT TO:<alice@example.org>\r\n")
		r, err := lmtptest.ReadReply(d.replies)
		return err == nil && r.Code == 250
	})
}
