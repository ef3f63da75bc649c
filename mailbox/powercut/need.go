package powercut

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// packages are the Debian packages of the programs.
var packages = map[string]string{
	"mkfs.ext4": "e2fsprogs", "mkfs.xfs": "xfsprogs", "mkfs.btrfs": "btrfs-progs",
	"mount": "mount", "findmnt": "util-linux", "fsfreeze": "util-linux",
}

// Need skips the test and says why, unless the machine can mount volumes of the given kinds. As
// root and with CI=true it fails the test where only programs are missing.
func Need(tb testing.TB, kinds ...FileSystem) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root, to mount file systems")
	}
	for _, device := range []string{"/dev/fuse", "/dev/loop-control"} {
		if err := unix.Access(device, unix.R_OK|unix.W_OK); err != nil {
			tb.Skipf("needs %s: %v", device, err)
		}
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		tb.Skip(err)
	}
	programs := []string{"mount", "findmnt", "fsfreeze"}
	for _, kind := range kinds {
		if !strings.Contains(string(known), "\t"+kind.kind+"\n") {
			tb.Skipf("needs a kernel with %s", kind.kind)
		}
		programs = append(programs, kind.mkfs[0])
	}
	for _, name := range programs {
		if _, err := look(name); err == nil {
			continue
		}
		miss := tb.Skipf
		if os.Getenv("CI") == "true" {
			miss = tb.Fatalf
		}
		miss("needs %s (Debian package %s)", name, packages[name])
	}
}

// look finds a program, in the directories of system programs too, which are not in
// the PATH of every user.
func look(name string) (path string, err error) {
	for _, place := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err = exec.LookPath(place); err == nil {
			break
		}
	}
	return path, err
}
