package powercut_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// What a real file system was asked to sync is there after the cut, and what it was not is gone.
func TestVolume(t *testing.T) {
	powercut.Need(t, powercut.Ext4)
	if !powercut.Alone(t) {
		return
	}
	v := powercut.New(t, powercut.Ext4)
	write(t, v, "synced", true)
	write(t, v, "not synced", false)
	v.Disk.Cut()
	v.PowerOn(t)
	if b, err := os.ReadFile(filepath.Join(v.Dir, "synced")); err != nil || string(b) != "synced" {
		t.Errorf("synced: %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(v.Dir, "not synced")); !os.IsNotExist(err) {
		t.Errorf("not synced: %v", err)
	}
}

// After an EIO of the disk the first sync says so and the second does not, though the octets are
// lost: that is why Doorstep tries no sync twice.
func TestSecondSyncLies(t *testing.T) {
	kinds := []powercut.FileSystem{powercut.Ext4, powercut.XFS, powercut.Btrfs}
	powercut.Need(t, kinds...)
	if !powercut.Alone(t) {
		return
	}
	for _, kind := range kinds {
		v := powercut.New(t, kind)
		f, err := os.Create(filepath.Join(v.Dir, "file"))
		if err != nil {
			t.Fatal(err)
		}
		content := bytes.Repeat([]byte("marked "), 2000) // too large to be kept in an inode
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		v.Disk.Refuse(func(p []byte) bool { return bytes.Contains(p, content[:100]) })
		first := f.Sync()
		refused := v.Disk.Refuse(nil)
		second := f.Sync()
		if !errors.Is(first, unix.EIO) || second != nil || refused == 0 {
			t.Errorf("%s: sync %v, then %v; %d writes refused", kind.Name, first, second, refused)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		v.MountAgain(t)
		b, err := os.ReadFile(filepath.Join(v.Dir, "file"))
		if bytes.Equal(b, content) {
			t.Errorf("%s: nothing is lost (%v)", kind.Name, err)
		}
		t.Logf("%s: sync says %v, then %v; then there are %d of %d octets, %v", kind.Name, first, second,
			len(bytes.Trim(b, "\x00")), len(content), err)
	}
}

func write(t *testing.T, v *powercut.Volume, name string, sync bool) {
	t.Helper()
	f, err := os.Create(filepath.Join(v.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(name); err != nil {
		t.Fatal(err)
	}
	if !sync {
		return
	}
	dir, err := os.Open(v.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, f := range []*os.File{f, dir} {
		if err := unix.Fsync(int(f.Fd())); err != nil {
			t.Fatal(err)
		}
	}
}
