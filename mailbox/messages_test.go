package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// What a mailbox holds is listed with what its names and headers say, and nothing of it changes.
func TestMessages(t *testing.T) {
	to := Dest{Root: scratch(t), Path: "u"}
	s := open(t, Options{Create: true}, kernel.Linux{})
	const text = "Date: Sat, 28 Nov 2026 06:00:00 +0100\r\n" +
		"From: =?iso-8859-1?q?J=F6rg?= <j@example.org>, b@example.org\r\n" +
		"Subject: =?utf-8?b?0J/RgNC40LLQtdGC?= =?x-none?Q?x?=\r\n and more\r\n\r\nFrom: not@this.one\r\n"
	folder := to
	folder.Folder, folder.MakeFolder = ".R&AOQ-ksm&APY-rg&AOU-s", 1
	if err := errors.Join(send(t, s, text, to, folder)...); err != nil {
		t.Fatal(err)
	}
	write(t, "no header at all", to.String(), "cur", "1.a:2,FS")
	disk := int64(len(strings.ReplaceAll(text, "\r\n", "\n")))
	before := tree(t, to.String())
	got, more, err := s.Messages(t.Context(), to, 10)
	if err != nil || more || len(got) != 3 {
		t.Fatalf("%d messages, more %t, %v", len(got), more, err)
	}
	date := time.Date(2026, 11, 28, 5, 0, 0, 0, time.UTC)
	for i, want := range []StoredMessage{
		{New: true, From: "Jörg <j@example.org>", Subject: "Привет =?x-none?Q?x?= and more", Size: disk, Date: date},
		{Flags: "FS", File: "1.a:2,FS", Size: 16},
		{Folder: "Räksmörgås", New: true, From: "Jörg <j@example.org>", Subject: "Привет =?x-none?Q?x?= and more", Size: disk,
			Date: date},
	} {
		m := got[i]
		if m.Stored.IsZero() || m.File == "" {
			t.Errorf("message %d: %+v", i, m)
		}
		if want.File == "" {
			m.File = ""
		}
		want.Date, m.Date = want.Date.UTC(), m.Date.UTC()
		if m.Stored = (time.Time{}); m != want {
			t.Errorf("message %d: %+v, want %+v", i, m, want)
		}
	}
	if after := tree(t, to.String()); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("it was\n%v\nand is\n%v", before, after)
	}
	if got, more, err := s.Messages(t.Context(), to, 2); len(got) != 2 || !more || err != nil {
		t.Errorf("at most 2: %d, more %t, %v", len(got), more, err)
	}
	none := Dest{Root: to.Root, Path: "none"}
	if _, _, err := s.Messages(t.Context(), none, 1); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("no Maildir: %v", err)
	}
}

// Whatever an owner has put there is read as the owner or not at all, and nothing outside.
func TestMessagesOfHostileOwner(t *testing.T) {
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	alice, bob, theirs := aliceAndBob(t, s)
	plant(t, alice, map[string]func(path string) error{
		"1.link:2,S":            func(path string) error { return os.Symlink(theirs, path) },
		"2.fifo:2,S":            func(path string) error { return unix.Mkfifo(path, 0o666) },
		"3.dir:2,S":             func(path string) error { return os.Mkdir(path, 0o777) },
		"4.noflags":             func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"5.\x1b[2J\xff:2,\x07S": func(path string) error { return os.WriteFile(path, []byte("Subject: \x1b[2J\n"), 0o644) },
		"6.long:2,": func(path string) error {
			return os.WriteFile(path, []byte("Subject: "+strings.Repeat("x", 2*maxHead)), 0o644)
		},
		"8.link": func(path string) error { return os.Symlink(theirs, path) },
		"7.zeros:2,": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, 1<<40))
		},
	})
	if err := os.Symlink(bob.String(), filepath.Join(alice.String(), ".Bob")); err != nil {
		t.Fatal(err)
	}
	got, more, err := s.Messages(t.Context(), alice, 100)
	if err != nil || more {
		t.Errorf("more %t, %v", more, err)
	}
	var files []string
	for _, m := range got {
		if m.Folder != "" || m.Subject == "secret" && !m.New {
			t.Errorf("read of another: %+v", m)
		}
		if !m.New {
			files = append(files, m.File[:1])
		}
	}
	if slices.Sort(files); !slices.Equal(files, []string{"4", "5", "6", "7"}) {
		t.Errorf("messages %q in cur/, want 4, 5, 6 and 7", files)
	}
	// Bob's mail under Alice's rights.
	spy := bob
	spy.Owner = alice.Owner
	if got, _, err := s.Messages(t.Context(), spy, 100); len(got) != 0 || !errors.Is(err, unix.EACCES) {
		t.Errorf("Alice reads %d messages of Bob's: %v", len(got), err)
	}
	if open := sys.leaks(); open != nil {
		t.Errorf("left open: %q", open)
	}
	noStrangers(t)
}
