package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// What clients may ask for by legal commands alone, and what it costs.

// TestMemoryOfSessions: sessions name as many recipients as they are let, with the longest addresses that are taken,
// and send half of a message each. All of them together are bounded, and what one takes is reported.
func TestMemoryOfSessions(t *testing.T) {
	const sessions = 60
	dir := place(t)
	s := serveStatic(t, dir, plainConfig("")+"[[rule]]\nheader = \"X-Spam-Flag\"\nequals = \"YES\"\nfolder = \"Junk\"\n")
	first := session(t, dir)
	first.deliver("to begin with", "alice")
	took := s.memory(t, "VmRSS")
	report := func(what string, n int) {
		now := s.memory(t, "VmRSS")
		t.Logf("%s: %d KiB, %.1f KiB each of %d", what, now-took, float64(now-took)/float64(n), n)
		took = now
	}
	var open []*dialogue
	for range sessions {
		open = append(open, session(t, dir))
	}
	report("idle sessions", sessions)

	accepted := 0
	for _, d := range open {
		d.say("MAIL FROM:<"+strings.Repeat("s", 64)+"@example.com> BODY=8BITMIME SIZE=200000", "250 ")
		accepted += d.recipients(1000)
	}
	report(fmt.Sprintf("recipients, %d in each session until the budget was used", 1000), accepted)
	if accepted == 0 || accepted >= sessions*1000 {
		t.Errorf("%d recipients are taken, want some refused", accepted)
	}

	content := "X: " + strings.Repeat("x", 900) + "\r\n"
	content = strings.Repeat(content, 60) + "\r\n" + strings.Repeat(content, 60) // less than what goes to the disk
	for _, d := range open[:accepted/1000] {
		d.say("DATA", "354 ")
		d.send(content)
		d.awaitRead()
	}
	report("halves of messages", accepted/1000)
	if peak := s.memory(t, "VmHWM"); peak > 256<<10 {
		t.Errorf("at most %d KiB", peak)
	} else {
		t.Logf("at most %d KiB", peak)
	}
}

// awaitRead waits until the server has read all that was sent.
func (d *dialogue) awaitRead() {
	d.tb.Helper()
	raw, err := d.conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		d.tb.Fatal(err)
	}
	peer.Await(d.tb, patience, "the server to read", func() (read bool) {
		err := raw.Control(func(fd uintptr) {
			n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) // unix(7)
			if err != nil {
				d.tb.Error(err)
			}
			read = n == 0
		})
		return err != nil || read
	})
}

// recipients names so many recipients in one go, and returns how many are accepted.
func (d *dialogue) recipients(n int) (accepted int) {
	d.tb.Helper()
	go func() {
		var b strings.Builder
		for i := range n {
			// Quoted pairs make the path longer than the name (RFC 5321 §4.1.2).
			fmt.Fprintf(&b, "RCPT TO:<\"alice+%04d%s\"@example.org>\r\n", i, strings.Repeat(`\x`, 230))
		}
		d.send(b.String())
	}()
	for range n {
		r, err := lmtptest.ReadReply(d.replies)
		switch {
		case err != nil:
			d.tb.Fatal(err)
		case r.Code == 250:
			accepted++
		case r.Code != 452:
			d.tb.Fatalf("reply %s", r)
		}
	}
	return accepted
}

// TestLargeAliasFewDescriptors: aliases for a thousand mailboxes and for a hundred, where the process may have 1024
// descriptors. The large one is deferred with the reason, the other delivered, and so is all other mail meanwhile.
func TestLargeAliasFewDescriptors(t *testing.T) {
	dir := place(t)
	var users strings.Builder
	var to []string
	for i := range 1000 {
		to = append(to, fmt.Sprintf("%q", fmt.Sprintf("u%d@example.org", i)))
		users.WriteString("[[user]]\naddress = " + to[i] + "\n")
	}
	alias := func(name string, to []string) string {
		return fmt.Sprintf("[[alias]]\naddress = \"%s@example.org\"\nto = [%s]\n", name, strings.Join(to, ", "))
	}
	s := serveStatic(t, dir, plainConfig("")+users.String()+alias("all", to)+alias("some", to[:100]), "prlimit",
		"--nofile=1024")
	s.awaitLog(t, "aliases for more than 112 mailboxes are deferred")
	replies := make(chan string)
	for name, want := range map[string]string{"all": "451", "some": "250"} {
		go func() {
			for range 5 {
				if code := codeFor(t, dir, name+"@example.org"); code != want {
					t.Errorf("%s: %s", name, code)
				}
				replies <- name
			}
		}()
	}
	meanwhile := 0
	for left := 10; left > 0; {
		select {
		case <-replies:
			left--
		default:
			d := session(t, dir)
			d.deliver("meanwhile", "alice", "bob")
			d.conn.Close()
			meanwhile++
		}
	}
	t.Logf("%d messages meanwhile", meanwhile)
	s.awaitLog(t, "1000, and it may have 112")
	for i := range 1000 {
		box := maildir(dir, fmt.Sprint("u", i))
		want := 0
		if i < 100 {
			want = 5
		}
		if n := len(names(t, filepath.Join(box, "new"))); n != want || len(names(t, filepath.Join(box, "tmp"))) > 0 {
			t.Errorf("%s has %d messages, want %d and nothing in tmp", box, n, want)
		}
	}
}
