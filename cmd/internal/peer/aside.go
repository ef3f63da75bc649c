package peer

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Programs that cannot be installed beside Postfix are unpacked aside, with the libraries that they
// lack. They run from a copy, where their users can reach them: not every checkout is open to
// all users.

// installAside copies a program to dir/name, and the libraries that were unpacked with it to dir/lib.
func installAside(tb testing.TB, dir, name string) {
	tb.Helper()
	program, err := look(name)
	if err != nil {
		tb.Fatal(err)
	}
	copyFile(tb, program, filepath.Join(dir, name))
	if !isAside(program) {
		return // installed as usual, and its libraries too
	}
	for _, where := range []string{"../lib/*.so.*", "../lib/*-linux-*/*.so.*"} {
		for _, library := range glob(tb, filepath.Join(filepath.Dir(program), where)) {
			copyFile(tb, library, filepath.Join(dir, "lib", filepath.Base(library)))
		}
	}
}

// isAside reports whether a program was unpacked aside.
func isAside(program string) bool { return strings.Contains(program, "/.cache/peers/") }

func glob(tb testing.TB, pattern string) []string {
	tb.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

// copyFile copies an executable file, following links.
func copyFile(tb testing.TB, from, to string) {
	tb.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		// A program that another test starts now would have the new file open for writing until its exec, and the
		// file could not be run until then (ETXTBSY; golang.org/issue/22315).
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		err = os.WriteFile(to, content, 0o755)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// own changes the owner of files to a user that a program's package makes.
func own(tb testing.TB, name string, paths ...string) {
	tb.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		tb.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid) // numeric on every Unix
	for _, path := range paths {
		if err := os.Chown(path, uid, -1); err != nil {
			tb.Fatal(err)
		}
	}
}
