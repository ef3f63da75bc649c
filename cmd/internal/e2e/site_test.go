package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A siteAccount is a mailbox of the site: its address as configured, and where its Maildir is
// below the store.
type siteAccount struct {
	address string
	aliases []string
	path    string
}

// crew are sixty ordinary recipients.
var crew = func() (list []string) {
	for i := range 60 {
		list = append(list, fmt.Sprintf("crew%02d@dst.example", i))
	}
	return list
}()

var siteAccounts = func() []siteAccount {
	list := []siteAccount{
		{address: "alice@dst.example", aliases: []string{"sales@dst.example"}, path: "dst.example/alice"},
		{address: "bob@dst.example", path: "dst.example/bob"},
		{address: "josé@dst.example", path: "dst.example/josé"},
		{address: `"john doe"@dst.example`, path: "dst.example/john doe"},
		{address: "用户@例え.example", path: "xn--r8jz45g.example/用户"},
		{address: "sender@src.example", aliases: []string{"отправитель@src.example"}, path: "src.example/sender"},
	}
	for _, c := range crew {
		local, _, _ := strings.Cut(c, "@")
		list = append(list, siteAccount{address: c, path: "dst.example/" + local})
	}
	return list
}()

// A site is a running Doorstep with its accounts, listening for LMTP.
type site struct {
	unix, tcp string // targets: unix:PATH, 127.0.0.1:PORT
	esmtp     string // one that speaks ESMTP: 127.0.0.1:PORT
	store     string
	process   *peer.Process
}

// openSite builds doorstep and starts it, with more in its configuration.
func openSite(t *testing.T, more ...string) *site {
	t.Helper()
	s := planSite(t)
	s.start(t, strings.Join(more, ""))
	return s
}

// planSite is a site that is yet to be started, for peers that Doorstep must know of.
func planSite(t *testing.T) *site {
	t.Helper()
	dir := peer.MailDir(t)
	s := &site{
		unix: "unix:" + filepath.Join(dir, "lmtp"), tcp: "127.0.0.1:" + peer.FreePort(t),
		esmtp: "127.0.0.1:" + peer.FreePort(t), store: filepath.Join(dir, "mail"),
	}
	if err := os.Mkdir(s.store, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(s.store, peer.MailUser, peer.MailUser); err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts it, with more in its configuration, in further groups.
func (s *site) start(t *testing.T, more string, groups ...uint32) {
	t.Helper()
	p := peer.StartDoorstep(t, filepath.Dir(s.store), s.configuration()+more, groups...)
	t.Cleanup(func() {
		p.Stop()
		if err := p.Err(); err != nil || strings.Contains(p.Output(), "panic") {
			t.Errorf("doorstep ended with %v:\n%s", err, p.Output())
		}
	})
	peer.AwaitListener(t, p, "unix", strings.TrimPrefix(s.unix, "unix:"))
	peer.AwaitListener(t, p, "tcp", s.tcp)
	peer.AwaitListener(t, p, "tcp", s.esmtp)
	s.process = p
}

func (s *site) configuration() string {
	var b strings.Builder
	fmt.Fprintf(&b, "hostname = %q\npostmaster = %q\n", "store.example", "sender@src.example")
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\nmode = \"0666\"\n", s.unix) // Postfix connects as its own user
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\n", "tcp:"+s.tcp)
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\nprotocol = \"esmtp\"\n", "tcp:"+s.esmtp)
	fmt.Fprintf(&b, "[store]\npath = %q\n", s.store+"/{domain}/{local}/Maildir")
	for _, d := range []string{"dst.example", "src.example", "例え.example"} {
		fmt.Fprintf(&b, "[[domain]]\nname = %q\n", d)
	}
	for _, a := range siteAccounts {
		fmt.Fprintf(&b, "[[user]]\naddress = %q\naliases = [", a.address)
		for _, alias := range a.aliases {
			fmt.Fprintf(&b, "%q,", alias)
		}
		b.WriteString("]\n")
		if a.address == fullD {
			fmt.Fprintf(&b, "quota = %d\n", fullQuota)
		}
	}
	return b.String()
}

func (s *site) maildir(a siteAccount) string { return filepath.Join(s.store, a.path, "Maildir") }

// messages reads all messages of an account. Nothing may be left in tmp.
func (s *site) messages(t *testing.T, a siteAccount) []string {
	t.Helper()
	var list []string
	for _, dir := range []string{"tmp", "new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(s.maildir(a), dir))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			if dir == "tmp" {
				t.Errorf("%s: %s left in tmp", a.address, e.Name())
				continue
			}
			b, err := os.ReadFile(filepath.Join(s.maildir(a), dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			checkName(t, e.Name(), string(b))
			list = append(list, string(b))
		}
	}
	return list
}

// checkName wants the sizes in a file's name to be those of the file: readers believe S, the
// octets on disk, and W, the octets with CRLF line ends, without opening it (MDIR-08).
func checkName(t *testing.T, name, content string) {
	t.Helper()
	want := fmt.Sprintf(",S=%d,W=%d", len(content), len(content)+strings.Count(content, "\n"))
	if base, _, _ := strings.Cut(name, ":"); !strings.HasSuffix(base, want) {
		t.Errorf("%s: sizes should be %s", name, want)
	}
}

// checkStored wants exactly these contents in an account, each below header fields of the given
// names, the first ones of the file.
func (s *site) checkStored(t *testing.T, a siteAccount, want []string, above ...string) {
	t.Helper()
	missing := map[string]int{}
	for _, content := range want {
		missing[content]++
	}
	for _, file := range s.messages(t, a) {
		fields, content := cutFields(file, len(above))
		if !slices.Equal(fields, above) {
			t.Errorf("%s: first fields are %q, want %q", a.address, fields, above)
		}
		if missing[content] == 0 {
			t.Errorf("%s: a message that nobody sent, or twice: %.300q", a.address, content)
		}
		missing[content]--
	}
	for content, n := range missing {
		if n > 0 {
			t.Errorf("%s: %d missing of %.300q", a.address, n, content)
		}
	}
}

// checkReports wants n non-delivery reports that tell of our 5.1.1.
func (s *site) checkReports(t *testing.T, a siteAccount, n int) {
	t.Helper()
	reports := s.messages(t, a)
	if len(reports) != n {
		t.Errorf("%s: %d reports, want %d", a.address, len(reports), n)
	}
	for _, r := range reports {
		if !strings.HasPrefix(r, "Return-Path: <>\n") || !strings.Contains(r, "\nStatus: 5.1.1\n") {
			t.Errorf("%s: not a report: %.600q", a.address, r)
		}
	}
}

// cutFields cuts the first n header fields off and returns their names.
func cutFields(file string, n int) (names []string, rest string) {
	for rest = file; len(names) < n; {
		name, _, _ := strings.Cut(rest, ":")
		names = append(names, name)
		for {
			_, rest, _ = strings.Cut(rest, "\n")
			if !strings.HasPrefix(rest, "\t") && !strings.HasPrefix(rest, " ") {
				break
			}
		}
	}
	return names, rest
}

// checkByIMAP wants Dovecot to give every message back as it is on disk, with its right size,
// and to have nothing to complain about.
func (s *site) checkByIMAP(t *testing.T) {
	t.Helper()
	c := peer.DovecotConfig{UID: peer.MailUser, GID: peer.MailUser}
	for i, a := range siteAccounts {
		// The reader's login names are a matter of its own: Dovecot takes none with quotes.
		c.Users = append(c.Users, peer.DovecotUser{Name: fmt.Sprintf("reader%d", i), Maildir: s.maildir(a)})
	}
	d := peer.StartDovecot(t, c)
	for i, a := range siteAccounts {
		files := s.messages(t, a)
		if len(files) == 0 {
			continue
		}
		if err := readBack(d.Addr, c.Users[i].Name, files); err != nil {
			t.Errorf("%s by IMAP: %v", a.address, err)
		}
	}
	if complaints := d.Complaints(); len(complaints) > 0 {
		t.Errorf("Dovecot complains: %q", complaints)
	}
}

func readBack(addr, user string, files []string) error {
	c, err := peer.DialIMAP(addr, user, peer.Password)
	if err != nil {
		return err
	}
	n, err := c.Examine("INBOX")
	if err != nil || n != len(files) {
		return fmt.Errorf("%d messages, want %d: %w", n, len(files), err)
	}
	missing := map[string]bool{}
	for _, f := range files {
		// A literal cannot hold NUL (RFC 9051 §4.3): Dovecot gives 0x80 for it.
		missing[strings.NewReplacer("\n", "\r\n", "\x00", "\x80").Replace(f)] = true
	}
	for i := range n {
		size, content, err := c.Fetch(i + 1)
		if err != nil {
			return err
		}
		if !missing[string(content)] {
			return fmt.Errorf("message %d is not what is on disk, or comes twice: %.300q", i+1, bytes.TrimSpace(content))
		}
		if size != len(content) {
			return fmt.Errorf("message %d has %d octets, RFC822.SIZE says %d", i+1, len(content), size)
		}
		delete(missing, string(content))
	}
	return c.Logout()
}
