package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestBadInput sends what no good client sends to one server, and after each of it an ordinary
// message over the same session, or over a new one where the server hung up.
func TestBadInput(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, plainConfig("[limits]\nmessage_size = \"64KiB\""))
	for _, c := range []struct {
		name string
		do   func(*testing.T, *dialogue)
	}{
		{"CMD-03 a command line of 5000 octets", func(t *testing.T, d *dialogue) {
			d.say("MAIL FROM:<"+strings.Repeat("x", 5000)+"@example.com>", "500 5.5.2 ")
		}},
		{"CMD-01 a bare LF ends no command", func(t *testing.T, d *dialogue) {
			d.say("NOOP\nQUIT", "500 5.5.2 ")
		}},
		{"CMD-05 NUL and octets above 127", func(t *testing.T, d *dialogue) {
			d.say("\x00\xff\x1b[2J", "500 5.5.1 ")
			d.say("MAIL FROM:<a\x00b@example.com>", "501 5.1.7 ")
		}},
		{"CMD-17 an unknown verb", func(t *testing.T, d *dialogue) {
			d.say("EVAL $(reboot)", "500 5.5.1 ")
		}},
		{"LMTP-02 the other protocol's hello", func(t *testing.T, d *dialogue) {
			d.say("EHLO client.example", "500 ")
		}},
		{"PATH-12 an unknown parameter", func(t *testing.T, d *dialogue) {
			d.say("MAIL FROM:<s@example.com> DELIVERBY=1", "555 5.5.4 ")
			d.say("MAIL FROM:<s@example.com>", "250 ")
			d.say("RCPT TO:<alice@example.org> PRIORITY=9", "555 5.5.4 ")
			d.say("RSET", "250 ")
		}},
		{"LMTP-03 DATA without a recipient", func(t *testing.T, d *dialogue) {
			d.say("DATA", "503 5.5.1 ")
			d.say("MAIL FROM:<s@example.com>", "250 ")
			d.say("DATA", "503 5.5.1 ")
			d.say("RCPT TO:<nobody@example.org>", "550 5.1.1 ")
			d.say("DATA", "503 5.5.1 ")
			d.say("RSET", "250 ")
		}},
		{"PATH-10 a way out of the store", func(t *testing.T, d *dialogue) {
			d.say("MAIL FROM:<s@example.com>", "250 ")
			for _, to := range []string{"../../etc", "..", "alice/../bob", `"../alice"`, ".alice"} {
				d.say("RCPT TO:<"+to+"@example.org>", "5")
			}
			d.say("RCPT TO:<alice@../../etc>", "5")
			d.say("RSET", "250 ")
		}},
		{"SIZE-01 a declared size over the limit", func(t *testing.T, d *dialogue) {
			d.say("MAIL FROM:<s@example.com> SIZE=65537", "552 5.3.4 ")
			d.say("MAIL FROM:<s@example.com> SIZE=99999999999999999999999999", "5")
		}},
		{"SIZE-02 content over the limit", func(t *testing.T, d *dialogue) {
			d.begin("alice", "bob")
			d.send("Subject: too large\r\n\r\n" + strings.Repeat(strings.Repeat("x", 98)+"\r\n", 700) + ".\r\n")
			d.want("552 5.3.4 ")
			d.want("552 5.3.4 ")
		}},
		{"DATA-03 a bare LF in content", func(t *testing.T, d *dialogue) {
			d.begin("alice", "bob")
			d.send("Subject: bare\n\r\nHello\r\n.\r\n")
			d.want("554 5.6.0 ")
			d.want("554 5.6.0 ")
		}},
		{"DATA-02 a smuggled second message", func(t *testing.T, d *dialogue) {
			d.begin("alice")
			d.send("Subject: first\r\n\r\nHello\n.\r\nMAIL FROM:<admin@example.org>\r\nRCPT " +
				"TO:<bob@example.org>\r\nDATA\r\nSubject: second\r\n\r\n.\r\n")
			d.want("554 5.6.0 ")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := session(t, dir)
			c.do(t, d)
			d.deliver("after", "alice")
			wantStored(t, dir, "alice", "after")
			wantStored(t, dir, "bob")
			removeAll(t, dir)
		})
	}
}

// TestTooManyRecipients: LIM-01, the 1001st is asked to come later, and a thousand get their mail.
func TestTooManyRecipients(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, plainConfig(""))
	d := session(t, dir)
	d.say("MAIL FROM:<s@example.com>", "250 ")
	for i := range 1000 {
		d.say(fmt.Sprintf("RCPT TO:<alice+%d@example.org>", i), "250 2.1.5 ")
	}
	d.say("RCPT TO:<bob@example.org>", "452 4.5.3 ")
	d.say("DATA", "354 ")
	d.send(message("to a crowd") + ".\r\n")
	for range 1000 {
		d.want("250 2.0.0 ")
	}
	wantStored(t, dir, "alice", "to a crowd") // one mailbox, one copy
	wantStored(t, dir, "bob")
}

// TestErrorBudget: a client that only makes mistakes is sent away.
func TestErrorBudget(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, plainConfig(""))
	d := session(t, dir)
	for range 20 {
		d.say("XYZZY", "500 5.5.1 ")
	}
	d.say("XYZZY", "421 4.7.0 ")
	d.wantEnd()
	session(t, dir).deliver("after", "alice")
}

// TestForeignClients: what a web page makes a browser send must not become mail, and a client that
// begins with TLS is answered that it waits for nothing.
func TestForeignClients(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, plainConfig(""))
	for name, octets := range map[string]string{
		"HTTP": "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nLHLO x\r\nMAIL FROM:<>\r\nRCPT " +
			"TO:<alice@example.org>\r\nDATA\r\n" + message("from a page") + ".\r\n",
		"TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	} {
		t.Run(name, func(t *testing.T) {
			d := dial(t, dir)
			d.want("220 ")
			d.send(octets)
			d.want("500 5.5.")
			wantStored(t, dir, "alice")
		})
	}
	session(t, dir).deliver("after", "alice")
	wantStored(t, dir, "alice", "after")
}

// TestClientKilled: a client that is gone in the middle of its message, or after it, leaves
// nothing partial, and the server lives.
func TestClientKilled(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig("[log]\nlevel = \"debug\""))
	for name, part := range map[string]string{
		"before the content": "",
		"in the header":      "Subject: par",
		"in the body":        "Subject: partial\r\n\r\nHello\r\n",
		"large":              "Subject: partial\r\n\r\n" + strings.Repeat(strings.Repeat("x", 98)+"\r\n", 40000),
		"before the dot":     message("partial"),
		"in the dot":         message("partial") + ".",
		"in its line end":    message("partial") + ".\r",
	} {
		t.Run(name, func(t *testing.T) {
			d := session(t, dir)
			d.begin("alice", "bob")
			d.send(part)
			if err := d.conn.Close(); err != nil {
				t.Fatal(err)
			}
			s.awaitLog(t, "content lost")
			s.awaitLog(t, "session ends")
			wantStored(t, dir, "alice")
			wantStored(t, dir, "bob")
			next := session(t, dir)
			next.deliver("after", "alice")
			next.say("QUIT", "221 ")
			s.awaitLog(t, "session ends")
			wantStored(t, dir, "alice", "after")
			removeAll(t, dir)
		})
	}
}

// TestNoMailRoot: a mount that is gone is a temporary failure, and no tree is made in its place.
func TestNoMailRoot(t *testing.T) {
	dir := peer.Dir(t)
	s := serveConfig(t, dir, plainConfig(""))
	s.awaitLog(t, "store.path: directory ")
	s.awaitLog(t, "does not exist (mkdir -p "+filepath.Join(dir, "mail")+")")
	d := session(t, dir)
	d.begin("alice", "bob")
	d.send(message("to nowhere") + ".\r\n")
	d.want("451 4.3.0 ")
	d.want("451 4.3.0 ")
	wantGone(t, filepath.Join(dir, "mail"))
	s.awaitLog(t, filepath.Join(dir, "mail"))

	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.deliver("when it is back", "alice")
	wantStored(t, dir, "alice", "when it is back")
}

// TestBrokenMaildir: what stands in the way in one mailbox defers its mail, names itself in the
// log, is left alone, and touches nobody else's.
func TestBrokenMaildir(t *testing.T) {
	for _, c := range []struct {
		name  string
		place func(path, elsewhere string) error
	}{
		{"a file", func(path, _ string) error { return os.WriteFile(path, []byte("x"), 0o600) }},
		{"a symbolic link to a directory", func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }},
		{"a symbolic link to nothing", func(path, _ string) error { return os.Symlink("/nonexistent", path) }},
	} {
		for _, part := range []string{"new", "tmp", ""} {
			t.Run(c.name+" at "+filepath.Join("Maildir", part), func(t *testing.T) {
				dir, elsewhere := place(t), t.TempDir()
				s := serveConfig(t, dir, plainConfig(""))
				d := session(t, dir)
				d.deliver("to make the mailbox", "alice")
				path := filepath.Join(maildir(dir, "alice"), part)
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if err := c.place(path, elsewhere); err != nil {
					t.Fatal(err)
				}
				d.begin("alice", "bob")
				d.send(message("to a broken mailbox") + ".\r\n")
				d.want("451 4.2.0 ")
				d.want("250 2.0.0 ")
				s.awaitLog(t, "msg=refused")
				if left := names(t, elsewhere); len(left) > 0 {
					t.Errorf("outside of the store there is %q now", left)
				}
				if info, err := os.Lstat(path); err != nil || info.IsDir() {
					t.Errorf("what stood in the way was replaced: %v, %v", info, err)
				}
				wantStored(t, dir, "bob", "to a broken mailbox")

				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				d.deliver("when it is repaired", "alice")
			})
		}
	}
}

// TestNothingIsRun: what other servers have run or expanded is a name like any other (S9), here of a
// mailbox that takes all mail of its domain.
func TestNothingIsRun(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, strings.Replace(plainConfig(""), "name = \"example.org\"\n",
		"name = \"example.org\"\ncatch_all = \"alice@example.org\"\n", 1))
	mark := filepath.Join(dir, "run")
	for i, local := range []string{
		"`touch${IFS}" + mark + "`", "$(touch${IFS}" + mark + ")", "|touch${IFS}" + mark, "a;touch " + mark,
		"${run{/bin/touch " + mark + "}}",
		"%{run}", "{{.}}", "-f" + mark, "!touch", "~root", "${HOME}", "%s%n%d",
	} {
		subject := fmt.Sprint("number ", i)
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
		d := session(t, dir)
		d.say("MAIL FROM:<"+quoted+"@example.com>", "250 ")
		d.say("RCPT TO:<"+quoted+"@example.org>", "250 ")
		d.say("DATA", "354 ")
		d.send("X-Given: " + local + "\r\n" + message(subject) + ".\r\n")
		d.want("250 2.0.0 ")
		found := false
		for _, text := range stored(t, dir, "alice") {
			found = found || strings.Contains(text, "\nX-Given: "+local+"\n") && strings.Contains(text, "Subject: "+subject+"\n")
		}
		if !found {
			t.Errorf("%s: the message is not there as it was sent", local)
		}
		wantGone(t, mark)
	}
}
