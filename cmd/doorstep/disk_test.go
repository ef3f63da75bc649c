package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestFullDisk: R6, a full disk defers the mail of every recipient and leaves nothing of it, and
// mail is delivered again as soon as there is room.
func TestFullDisk(t *testing.T) {
	needRoot(t)
	if !powercut.Alone(t) {
		return
	}
	for _, c := range []struct{ name, options string }{
		{"no blocks", "size=1m,mode=700"},
		{"no inodes", "size=1m,nr_inodes=24,mode=700"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := place(t)
			root := filepath.Join(dir, "mail")
			if err := unix.Mount("doorstep-test", root, "tmpfs", 0, c.options); err != nil {
				t.Skipf("mount a tmpfs: %v", err)
			}
			t.Cleanup(func() {
				if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			s := serveConfig(t, dir, plainConfig(""))
			d := session(t, dir)
			d.deliver("to make the mailboxes", "alice", "bob")
			fill(t, root)

			for range 3 {
				d.begin("alice", "bob")
				d.send("Subject: too much\r\n\r\n" + strings.Repeat(strings.Repeat("x", 98)+"\r\n", 200) + lastLine + "\r\n.\r\n")
				d.want("452 4.3.1 ")
				d.want("452 4.3.1 ")
				s.awaitLog(t, "no space left on device")
				wantStored(t, dir, "alice", "to make the mailboxes")
				wantStored(t, dir, "bob", "to make the mailboxes")
			}

			if err := os.RemoveAll(filepath.Join(root, "filling")); err != nil {
				t.Fatal(err)
			}
			d.deliver("when there is room", "alice", "bob")
			wantStored(t, dir, "alice", "to make the mailboxes", "when there is room")
			wantStored(t, dir, "bob", "to make the mailboxes", "when there is room")
		})
	}
}

// fill writes to a file system until nothing more fits: first data, then files.
func fill(t *testing.T, root string) {
	t.Helper()
	dir := filepath.Join(root, "filling")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", i+1)), make([]byte, 64<<10), 0o600)
		switch {
		case errors.Is(err, unix.ENOSPC):
			return
		case err != nil:
			t.Fatal(err)
		}
	}
}
