package mailbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// A file system that is really full: the error says so, nothing is left, and mail goes in
// again when there is room.
func TestDiskFull(t *testing.T) {
	if !powercut.Alone(t) {
		return
	}
	root := t.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("mount a tmpfs: %v", err)
		}
		t.Skipf("needs to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	small, smallDisk := lines(8000)
	large, _ := lines(2 << 20)
	to, other := Dest{Root: root, Path: "u"}, Dest{Root: t.TempDir(), Path: "other"}
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	if err := send(t, s, "first\r\n", to)[0]; err != nil {
		t.Fatal(err)
	}

	clean := func(what string, want int) {
		t.Helper()
		if left := in(t, to.String(), "tmp"); left != nil {
			t.Errorf("%s: tmp/ has %q", what, left)
		}
		if n := len(in(t, to.String(), "new")); n != want {
			t.Errorf("%s: new/ has %d files, want %d", what, n, want)
		}
		if open := sys.leaks(); open != nil {
			t.Errorf("%s: left open: %q", what, open)
		}
	}
	// Too large for what is there: the copy elsewhere does not mind.
	outcomes := send(t, s, large, to, other)
	if !errors.Is(outcomes[0], unix.ENOSPC) || outcomes[1] != nil {
		t.Errorf("MDIR-04: outcomes %v", outcomes)
	}
	clean("large", 1)
	if _, disk := lines(2 << 20); len(mails(t, other)) != 1 || mails(t, other)[0] != disk {
		t.Error("the other copy differs")
	}

	filler := filepath.Join(root, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling: %v", err)
	}
	for range 3 {
		if err := send(t, s, small, to)[0]; !errors.Is(err, unix.ENOSPC) {
			t.Errorf("MDIR-04: %v, want ENOSPC", err)
		}
		clean("full", 1)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := send(t, s, small, to)[0]; err != nil {
		t.Errorf("after there is room: %v", err)
	}
	clean("room again", 2)
	if got := mails(t, to); got[0] != smallDisk && got[1] != smallDisk {
		t.Error("the mail differs")
	}
}
