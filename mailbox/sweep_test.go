package mailbox

import (
	"context"
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSweep(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "u"}
	s := open(t, Options{Create: true}, kernel.Linux{})
	if err := send(t, s, "x\r\n", to)[0]; err != nil {
		t.Fatal(err)
	}
	own := func(i int) string { return fmt.Sprintf("1795456214.M1P2Q%dR0123456789abcdef.other", i) }
	const young, old = 35 * time.Hour, 37 * time.Hour
	files := []struct {
		what         string
		name         string
		read, wrote  time.Duration // ago
		dir, removed bool
	}{
		{"old", own(1), old, old, false, true},
		{"old, just read", own(2), young, old, false, false},
		{"old, just written", own(3), old, young, false, false},
		{"young", own(4), young, young, false, false},
		{"somebody else's", "1795456214.12_3.host", old, old, false, false},
		{"no Maildir name", "lost+found", old, old, false, false},
		{"a directory", own(5), old, old, true, false},
	}
	for i := range 800 { // more than are read at once
		f := files[0]
		f.name = own(100 + i)
		files = append(files, f)
	}
	want := 0
	for _, f := range files {
		path := filepath.Join(to.String(), "tmp", f.name)
		if f.dir {
			mkdir(t, path)
		} else if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now().Add(-f.read), time.Now().Add(-f.wrote)); err != nil {
			t.Fatal(err)
		}
		if f.removed {
			want++
		}
	}
	removed, err := s.Sweep(context.Background(), to, time.Second) // raised to SweepAge
	if err != nil || removed != want {
		t.Errorf("MDIR-06: %d removed, %v; want %d", removed, err, want)
	}
	left := in(t, to.String(), "tmp")
	for _, f := range files {
		if slices.Contains(left, f.name) == f.removed {
			t.Errorf("MDIR-06 %s: removed %v, want %v", f.what, !f.removed, f.removed)
		}
	}
	if removed, err := s.Sweep(context.Background(), to, 0); removed != 0 || err != nil {
		t.Errorf("second sweep: %d, %v", removed, err)
	}
	if n := len(in(t, to.String(), "new")); n != 1 {
		t.Errorf("new/ has %d files, want 1", n)
	}
}

func TestSweepRefuses(t *testing.T) {
	root := t.TempDir()
	s := open(t, Options{}, kernel.Linux{})
	for _, tt := range []struct {
		dest Dest
		want error
	}{
		{Dest{Root: root, Path: "nobody"}, ErrNoMailbox},
		{Dest{Root: root + "/lost", Path: "u"}, ErrNoRoot},
		{Dest{Root: root, Path: "link"}, ErrNotMaildir},
		{Dest{Root: root, Path: "../x"}, nil},
	} {
		if tt.dest.Path == "link" {
			elsewhere := t.TempDir()
			mkdir(t, elsewhere, "tmp")
			if err := os.Symlink(elsewhere, filepath.Join(root, "link")); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Sweep(context.Background(), tt.dest, 0)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%v: %v, want %v", tt.dest.Path, err, tt.want)
		}
	}
}
