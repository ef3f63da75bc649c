package trace

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func session(id, ip string) *lmtp.Session {
	return &lmtp.Session{ID: id, Remote: &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
}

// read returns the lines that are there.
func read(w *Watcher) (texts []string) {
	for {
		select {
		case l, open := <-w.Lines():
			if !open {
				return append(texts, "(end)")
			}
			texts = append(texts, l.Session+" "+l.From+" "+l.Text)
		default:
			return texts
		}
	}
}

func watch(t *testing.T, h *Hub, of string) *Watcher {
	t.Helper()
	f, err := Parse(of)
	if err != nil {
		t.Fatal(err)
	}
	w, err := h.Watch(f)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestAddress: a session is shown from its beginning once it names the address, in any spelling,
// and others are not.
func TestAddress(t *testing.T) {
	for of, args := range map[string]string{
		"alice@example.org":      "TO:<ALICE+x@EXAMPLE.org>",
		"josé@bücher.example":    "TO:<jose\u0301@xn--bcher-kva.example> NOTIFY=NEVER",
		"@example.org":           "TO:<anybody@example.org>",
		"用户@xn--fsqu00a.example": "TO:<用户@例子.example>",
	} {
		h := &Hub{}
		w := watch(t, h, of)
		a, b := session("a", "192.0.2.1"), session("b", "192.0.2.2")
		h.SessionBegan(a)
		h.SessionBegan(b)
		h.Command(a, "MAIL", "FROM:<>")
		h.Command(b, "RCPT", "TO:<bob@other.example>")
		if got := read(w); len(got) != 0 {
			t.Errorf("%s: shown before it was named: %q", of, got)
		}
		h.Command(a, "RCPT", args)
		h.Reply(a, "RCPT", lmtp.Reply{Code: 250, Enhanced: "2.1.5", Text: "ok\nindeed"})
		h.SessionEnded(a)
		h.SessionEnded(b)
		got := read(w)
		if len(got) != 6 || got[0] != "a * session begins, LMTP" || got[3] != "a S 250-2.1.5 ok" ||
			got[4] != "a S 250 2.1.5 indeed" || got[5] != "a * session ends" {
			t.Errorf("%s: %q", of, got)
		}
		if len(w.held)+len(w.followed) != 0 {
			t.Errorf("kept after the end: %v %v", w.held, w.followed)
		}
		w.Stop()
		if got := read(w); len(got) != 1 || h.watching.Load() != 0 {
			t.Errorf("after Stop: %q", got)
		}
	}
}

// TestMailbox: an alias is shown to who watches the mailbox that it leads to.
func TestMailbox(t *testing.T) {
	h := &Hub{}
	w := watch(t, h, "alice@example.org")
	a := session("a", "192.0.2.1")
	h.Command(a, "RCPT", "TO:<sales@example.org>")
	h.Outcome(delivery.Outcome{Session: a, To: address.Address{Local: "sales", Domain: "example.org"},
		Mailbox: "alice@example.org", Err: errors.New("\x1b[2Jdisk")})
	got := read(w)
	if len(got) != 2 || !strings.Contains(got[1], "rule internal") || strings.Contains(got[1], "\x1b") {
		t.Errorf("%q", got)
	}
}

func TestPeer(t *testing.T) {
	for of, ips := range map[string]map[string]bool{
		"192.0.2.1":     {"192.0.2.1": true, "192.0.2.2": false},
		"192.0.2.0/24":  {"192.0.2.1": true, "198.51.100.1": false},
		"2001:db8::/32": {"2001:db8::1": true, "2001:db9::1": false},
	} {
		h := &Hub{}
		w := watch(t, h, of)
		for ip, want := range ips {
			h.Command(session("x", ip), "NOOP", "")
			if got := len(read(w)) == 1; got != want {
				t.Errorf("%s: %s shown %v", of, ip, got)
			}
		}
	}
	h := &Hub{}
	w := watch(t, h, "unix")
	h.Command(&lmtp.Session{ID: "u", Remote: &net.UnixAddr{Net: "unix"}}, "NOOP", "")
	if got := read(w); len(got) != 1 {
		t.Errorf("unix: %q", got)
	}
}

// TestBounds: a reader who does not read costs a bounded number of lines, learns how many were
// dropped, and holds no session up; sessions that name no address are not collected for ever.
func TestBounds(t *testing.T) {
	h := &Hub{}
	w := watch(t, h, "192.0.2.1")
	s := session("a", "192.0.2.1")
	for range ahead + 100 {
		h.Command(s, "NOOP", strings.Repeat("x", 10*maxText))
	}
	for range ahead {
		if l := <-w.Lines(); len(l.Text) > 2*maxText {
			t.Fatalf("a line of %d octets", len(l.Text))
		}
	}
	h.Command(s, "NOOP", "")
	if l := <-w.Lines(); l.Dropped != 100 {
		t.Errorf("%d dropped, want 100", l.Dropped)
	}
	n := watch(t, h, "nobody@example.org")
	for i := range 3 * heldSessions {
		for range 2 * heldLines {
			h.Command(session(string(rune('a'+i)), "192.0.2.9"), "NOOP", "")
		}
	}
	if len(n.held) > heldSessions {
		t.Errorf("%d sessions are held", len(n.held))
	}
	for _, lines := range n.held {
		if len(lines) > heldLines {
			t.Errorf("%d lines are held", len(lines))
		}
	}
	for range maxWatchers - 2 {
		watch(t, h, "unix")
	}
	if _, err := h.Watch(Filter{}); !errors.Is(err, ErrTooMany) {
		t.Errorf("one watcher too many: %v", err)
	}
	h.Close()
	if _, err := h.Watch(Filter{}); err == nil {
		t.Error("watched after the end")
	}
	h.Command(s, "NOOP", "")
}

func TestParse(t *testing.T) {
	for _, bad := range []string{"", "alice", "alice@", "a@b@", "300.1.1.1", "10.0.0.0/99", "\x1b@\x1b", "a@exa mple"} {
		if f, err := Parse(bad); err == nil {
			t.Errorf("%q was taken for %+v", bad, f)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("RCPT", "TO:<a@b>")
	f.Add("MAIL", "FROM:<\xff@[")
	filter, err := Parse("alice@example.org")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, verb, args string) { filter.names(verb, args) })
}
