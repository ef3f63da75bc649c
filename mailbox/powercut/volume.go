package powercut

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A FileSystem is a kind of file system, and how it is made.
type FileSystem struct {
	Name string // as test names have it
	kind string // as mount has it
	mkfs []string
	size int64 // of its disk; 0 is diskSize
	// AllOrNothing says that it takes a cut that keeps a part of the cache for damage of its own.
	AllOrNothing bool
}

// The file systems mail is kept on.
var (
	Ext4  = FileSystem{Name: "ext4", kind: "ext4", mkfs: []string{"mkfs.ext4", "-q", "-F", "-E", "nodiscard"}}
	XFS   = FileSystem{Name: "xfs", kind: "xfs", mkfs: []string{"mkfs.xfs", "-q", "-f", "-K"}}
	Btrfs = FileSystem{Name: "btrfs", kind: "btrfs", mkfs: []string{"mkfs.btrfs", "-q", "-f", "-K"}}

	// Ext4FastCommit is ext4 with fast commits. The kernel does not mount it any more (ECANCELED)
	// when a cut has left a part of a fast commit at the beginning of their area, and e2fsck then
	// drops the whole journal. There is nothing that a program on it could do.
	Ext4FastCommit = FileSystem{
		Name: "ext4-fast_commit", kind: "ext4", AllOrNothing: true,
		mkfs: []string{"mkfs.ext4", "-q", "-F", "-E", "nodiscard", "-O", "fast_commit"},
	}
)

// Ext4ForMany is ext4 with room for some hundred thousand small files, for measuring. Ext4 as it is made on a
// small disk has an inode for every 16 KiB, which are used up before its blocks are.
var Ext4ForMany = FileSystem{
	Name: "ext4-many", kind: "ext4", size: 4 << 30,
	mkfs: []string{"mkfs.ext4", "-q", "-F", "-E", "nodiscard", "-i", "4096"},
}

// FileSystems are those that must survive.
var FileSystems = []FileSystem{Ext4, Ext4FastCommit, XFS, Btrfs}

// diskSize is enough for xfs, which wants 300 MiB. Only what is written takes memory.
const diskSize = 512 << 20

// A Volume is a mounted file system on a Disk.
type Volume struct {
	Disk *Disk
	Dir  string // where it is mounted, in a directory of its own

	kind    FileSystem
	diskDir string
}

// New makes a file system on a new disk and mounts it, until the test ends.
func New(tb testing.TB, kind FileSystem) *Volume {
	tb.Helper()
	v := &Volume{Disk: NewDisk(cmp.Or(kind.size, diskSize)), kind: kind}
	v.makeDirs(tb)
	v.connect(tb)
	run(tb, kind.mkfs[0], append(kind.mkfs[1:], filepath.Join(v.diskDir, diskFile))...)
	if errno := v.Disk.Flush(); errno != 0 {
		tb.Fatal(errno)
	}
	v.mount(tb)
	return v
}

// PowerOn takes away a volume whose disk was cut, and mounts what is left of it at the same place.
// No process may have files open there.
func (v *Volume) PowerOn(tb testing.TB) {
	tb.Helper()
	v.disconnect(tb)
	v.Disk = v.Disk.Survivor()
	v.connect(tb)
	v.mount(tb)
}

// MountAgain unmounts the volume and mounts it again, as an administrator does after an error.
// No process may have files open there.
func (v *Volume) MountAgain(tb testing.TB) {
	tb.Helper()
	if err := unmount(v.Dir); err != nil {
		tb.Fatalf("unmount: %v", err)
	}
	v.mount(tb)
}

// makeDirs makes the directories to mount at.
func (v *Volume) makeDirs(tb testing.TB) {
	tb.Helper()
	base, err := os.MkdirTemp("", "powercut-")
	if err == nil {
		err = os.Chmod(base, 0o755)
	}
	if err != nil {
		tb.Fatal(err)
	}
	v.Dir, v.diskDir = filepath.Join(base, "mnt"), filepath.Join(base, "dev")
	for _, dir := range []string{v.Dir, v.diskDir} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() {
		v.disconnect(tb)
		if err := os.RemoveAll(base); err != nil { // not reached where unmounting fails
			tb.Error(err)
		}
	})
}

// connect presents the disk as a file.
func (v *Volume) connect(tb testing.TB) {
	tb.Helper()
	if _, err := present(v.Disk, v.diskDir); err != nil {
		tb.Fatalf("mount with FUSE: %v", err)
	}
}

// disconnect unmounts everything.
func (v *Volume) disconnect(tb testing.TB) {
	tb.Helper()
	for _, dir := range []string{v.Dir, v.diskDir} {
		if err := unmount(dir); err != nil {
			tb.Fatalf("unmount %s of %s: %v", filepath.Base(dir), v.kind.Name, err)
		}
	}
}

// mount mounts the file by a loop device, which the kernel takes apart with the mount.
func (v *Volume) mount(tb testing.TB) {
	tb.Helper()
	run(tb, "mount", "-t", v.kind.kind, "-o", "loop", filepath.Join(v.diskDir, diskFile), v.Dir)
}

// Remount changes the options of the mount, "ro" or "rw" say.
func (v *Volume) Remount(tb testing.TB, options string) {
	tb.Helper()
	run(tb, "mount", "-o", "remount,"+options, v.Dir)
}

// unmount unmounts what is mounted at dir. A mount is busy for a moment after its last file was
// closed; one that stays busy is made to disappear from the tree, and goes when it can.
func unmount(dir string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW)
		if err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: it is not a mount point
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		<-tick.C
	}
	return errors.Join(errors.New("busy for too long"), unix.Unmount(dir, unix.MNT_DETACH))
}

// run runs a program, which must succeed.
func run(tb testing.TB, name string, args ...string) {
	tb.Helper()
	path, err := look(name)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", fmt.Sprint(cmd.Args), err, out)
	}
}
