package powercut_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/doorstep-mail/doorstep/internal/powercut"
	"golang.org/x/sys/unix"
)

// What a real file system was told to sync is there after the cut, and what it was not is gone.
// After an EIO of the disk the first fsync says so and the second does not, though the data is
// lost: that is why no sync is tried twice.
func TestVolume(t *testing.T) {
	powercut.Need(t, powercut.Ext4)
	if !powercut.Alone(t) {
		return
	}
	v := powercut.New(t, powercut.Ext4)
	write(t, v, "synced", true)
	write(t, v, "not synced", false)
	v.Disk.Cut()
	v = v.PowerOn(t)
	if b, err := os.ReadFile(filepath.Join(v.Dir, "synced")); err != nil || string(b) != "synced" {
		t.Errorf("synced: %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(v.Dir, "not synced")); !os.IsNotExist(err) {
		t.Errorf("not synced: %v", err)
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
