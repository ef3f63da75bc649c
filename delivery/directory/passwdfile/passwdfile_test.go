package passwdfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/passwdfile"
)

func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	clock := &clock{time.Now()}
	directorytest.Suite{
		Lists:  true,
		Owners: true, Mailboxes: true,
		Open: func(t *testing.T, w directorytest.World) directory.Directory {
			write(t, path, render(w))
			return passwdfile.Open(passwdfile.Options{Path: path, Key: directorytest.Key, DefaultDomain: "dst.example",
				Now: clock.now})
		},
	}.Run(t)
}

// render writes a world as a passwd-file.
func render(w directorytest.World) string {
	var b strings.Builder
	b.WriteString("# accounts\n\n")
	for _, a := range w.Accounts {
		uid, gid, extra := "", "", ""
		if a.Owner != nil {
			uid, gid = fmt.Sprint(a.Owner.UID), fmt.Sprint(a.Owner.GID)
		}
		if a.Broken {
			uid, gid = "x", "-5"
		}
		if a.Mailbox != "" {
			extra += " userdb_mail=maildir:" + a.Mailbox + ":INDEX=MEMORY"
		}
		if a.Quota.Bytes > 0 {
			extra += fmt.Sprintf(" userdb_quota_rule=*:storage=%dM:messages=%d userdb_quota_rule2=Trash:storage=+100M",
				a.Quota.Bytes>>20, a.Quota.Messages)
		}
		if a.Off {
			extra += " nodelivery"
		}
		name := strings.TrimSuffix(a.Address, "@dst.example") // the default domain's
		fmt.Fprintf(&b, "%s:{PLAIN}secret:%s:%s::%s:/bin/false:%s\n", name, uid, gid, a.Home, extra)
	}
	return b.String()
}

// TestChanges: a new state of the file counts when it has been left alone for a moment, and not
// while it may be half written.
func TestChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	clock := &clock{time.Now()}
	var complaints []string
	d := passwdfile.Open(passwdfile.Options{
		Path: path, Key: directorytest.Key, Now: clock.now,
		Complain: func(err error) { complaints = append(complaints, err.Error()) },
	})
	found := func(who string) string {
		t.Helper()
		clock.time = clock.time.Add(time.Second / 2)
		key, err := directorytest.Key(who)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Lookup(t.Context(), key)
		switch {
		case err == nil:
			return "yes"
		case errors.Is(err, directory.ErrNotFound):
			return "no"
		}
		return "later"
	}
	expect := func(when, alice, bob string) {
		t.Helper()
		if a, b := found("alice@x.example"), found("bob@x.example"); a != alice || b != bob {
			t.Errorf("%s: alice %s, bob %s; want %s, %s", when, a, b, alice, bob)
		}
	}
	expect("no file", "later", "later")
	write(t, path, "")
	expect("an empty file", "later", "later")
	write(t, path, "alice@x.example:::::\nbob@x.ex")
	expect("half a file", "later", "later")
	write(t, path, "alice@x.example:::::\n")
	expect("a file", "yes", "no")
	write(t, path, "")
	age(t, path, clock)
	expect("truncated", "yes", "later")
	write(t, path, "bob@x.example:::::\n")
	if err := os.Chtimes(path, clock.time, clock.time); err != nil {
		t.Fatal(err)
	}
	clock.time = clock.time.Add(-time.Second) // found adds to it
	expect("written this moment", "yes", "later")
	age(t, path, clock)
	expect("left alone", "no", "yes")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("removed", "later", "yes")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	expect("a directory", "later", "yes")
	if len(complaints) < 4 {
		t.Errorf("complaints: %q", complaints)
	}
}

// TestBadLines: a line costs its own account the mail, and is named with its number.
func TestBadLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	var complaints []string
	write(t, path, strings.Join([]string{
		"good@x.example:::::",
		"nodomain:::::",
		"uid@x.example::4294967295:1::/h",
		"gid@x.example::7:::/h",
		"home@x.example:::::h/../..",
		"quota@x.example:::::/h::userdb_quota_rule=*:storage=lots",
		"big@x.example:::::/h::userdb_quota_rule=*:storage=99999999999999T",
		"mbox@x.example:::::/h::userdb_mail=mbox:~/mail",
		"away@x.example:::::/h::userdb_mail=maildir:~/../other",
		"nouser@x.example::no-such-user:1::/h",
		"nogroup@x.example::root:no-such-group::/h",
		"again@x.example::7:::/h",
		"again@x.example:::::/h",
		"two @x.example:::::",
		":::::", "::", "@:::::",
	}, "\n")+"\n")
	d := passwdfile.Open(passwdfile.Options{Path: path, Key: directorytest.Key,
		Complain: func(err error) { complaints = append(complaints, err.Error()) }})
	if len(complaints) != 16 {
		t.Errorf("%d complaints:\n%s", len(complaints), strings.Join(complaints, "\n"))
	}
	for _, who := range []string{"uid", "gid", "home", "quota", "big", "mbox", "away", "nouser", "nogroup", "again"} {
		_, err := d.Lookup(t.Context(), directory.Key{Local: who, Domain: "x.example"})
		if err == nil || errors.Is(err, directory.ErrNotFound) || !strings.Contains(err.Error(), path+":") {
			t.Errorf("%s: %v", who, err)
		}
	}
	if _, err := d.Lookup(t.Context(), directory.Key{Local: "good", Domain: "x.example"}); err != nil {
		t.Error(err)
	}
}

// TestLinesOfOtherPrograms: what docker-mailserver, HestiaCP and editors of Windows write.
func TestLinesOfOtherPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	var complaints []string
	write(t, path, strings.Join([]string{
		"\ufefftwice@x.example:::::/first\r",
		" \r",
		"TWICE@x.example:::::/second",
		"named@x.example::root:daemon::/home//admin/::userdb_quota_rule=*:storage=0M",
		"paths@x.example:::::/srv/mail/x.example/paths//::userdb_mail=maildir:/srv//mail/x.example/paths/./Maildir/",
	}, "\n")+"\n")
	d := passwdfile.Open(passwdfile.Options{Path: path, Key: directorytest.Key,
		Complain: func(err error) { complaints = append(complaints, err.Error()) }})
	find := func(local string) *directory.Account {
		t.Helper()
		e, err := d.Lookup(t.Context(), directory.Key{Local: local, Domain: "x.example"})
		if err != nil {
			t.Fatal(err)
		}
		return e.Account
	}
	if a := find("twice"); a.Home != "/first" {
		t.Errorf("of two lines %q counts, want the first", a.Home)
	}
	if a := find("named"); a.Owner == nil || *a.Owner != (directory.Owner{UID: 0, GID: 1}) || a.Home != "/home/admin" ||
		a.Quota.Bytes != 0 {
		t.Errorf("named: %+v, owner %+v", a, a.Owner)
	}
	if a := find("paths"); a.Home != "/srv/mail/x.example/paths" || a.Mailbox != "/srv/mail/x.example/paths/Maildir" {
		t.Errorf("paths: home %q, mailbox %q", a.Home, a.Mailbox)
	}
	if len(complaints) != 1 || !strings.Contains(complaints[0], path+":3:") ||
		!strings.Contains(complaints[0], "earlier line") {
		t.Errorf("complaints: %q", complaints)
	}
}

type clock struct{ time time.Time }

func (c *clock) now() time.Time { return c.time }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// age makes a file look as if it had been left alone.
func age(t *testing.T, path string, c *clock) {
	t.Helper()
	c.time = c.time.Add(time.Minute)
	then := c.time.Add(-30 * time.Second)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
}
