package system_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/system"
)

// render writes a world as passwd(5), in which who has no home there has one. A name is in all
// domains.
func render(w directorytest.World) string {
	var b strings.Builder
	b.WriteString("root:x:0:0:root:/root:/bin/bash\ncanary:x:1999:1999::/:\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n")
	for i, a := range w.Accounts {
		name, _, _ := strings.Cut(a.Address, "@")
		uid, gid, home, shell := uint32(2000+i), uint32(2000+i), a.Home, "/bin/sh"
		if home == "" {
			home = "/home/" + name
		}
		if a.Owner != nil {
			uid, gid = a.Owner.UID, a.Owner.GID
		}
		if a.Off {
			shell = "/usr/sbin/nologin"
		}
		if a.Broken {
			home = "home/broken"
		}
		fmt.Fprintf(&b, "%s:x:%d:%d:%s,,,:%s:%s\n", name, uid, gid, a.Address, home, shell)
	}
	return b.String()
}

func options() system.Options {
	return system.Options{Domains: directorytest.Standard.Domains, Key: directorytest.Key,
		RefusedShells: []string{"/usr/sbin/nologin"}}
}

func open(t *testing.T, o system.Options) *system.Directory {
	t.Helper()
	d, err := system.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestFileConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	directorytest.Suite{
		Owners: true, NoQuotas: true,
		Open: func(t *testing.T, w directorytest.World) directory.Directory {
			write(t, path, render(w), 0o600)
			o := options()
			o.File = path
			return open(t, o)
		},
		Stop: func(t *testing.T) (start func()) {
			if err := os.Rename(path, path+".away"); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := os.Rename(path+".away", path); err != nil {
					t.Fatal(err)
				}
			}
		},
	}.Run(t)
}

// getentOver makes a program that is the real getent where passwd is the system's /etc/passwd, and
// files are all that it asks.
func getentOver(t *testing.T, passwd string) string {
	t.Helper()
	if _, err := exec.LookPath("getent"); err != nil {
		miss := t.Skipf
		if os.Getenv("CI") == "true" {
			miss = t.Fatalf
		}
		miss("needs getent (Debian package libc-bin): %v", err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "nsswitch.conf"), "passwd: files\n", 0o644)
	program := filepath.Join(dir, "getent")
	write(t, program, `#!/bin/sh
exec unshare --mount sh -c 'mount --bind "$0" /etc/passwd && mount --bind "$1" /etc/nsswitch.conf && shift && exec getent "$@"' '`+
		passwd+`' '`+filepath.Join(dir, "nsswitch.conf")+`' "$@"
`, 0o755)
	if out, err := exec.Command(program, "passwd", "root").CombinedOutput(); err != nil {
		t.Skipf("needs to mount: %v: %s", err, out) // even in CI: nothing that is installed helps
	}
	return program
}

func TestGetentConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, render(directorytest.Standard), 0o644)
	program := getentOver(t, path)
	directorytest.Suite{
		Owners: true, NoQuotas: true,
		Open: func(t *testing.T, w directorytest.World) directory.Directory {
			o := options()
			o.Getent, o.Canary, o.Timeout = program, "canary", 20*time.Second
			return open(t, o)
		},
		Stop: func(t *testing.T) (start func()) { // as when the service behind it cannot be asked
			write(t, path, "root:x:0:0::/root:/bin/sh\n", 0o644)
			return func() { write(t, path, render(directorytest.Standard), 0o644) }
		},
	}.Run(t)
}

// TestThisSystem: root, who is on every system, is none of those with mail, and is one where the
// bounds say so.
func TestThisSystem(t *testing.T) {
	if _, err := exec.LookPath("getent"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err) // there it is no choice
		}
		t.Skip("needs getent")
	}
	for name, o := range map[string]system.Options{"getent": {}, "file": {File: "/etc/passwd"}} {
		o.Domains, o.Key = []string{"dst.example"}, directorytest.Key
		daemon := directory.Key{Local: "daemon", Domain: "dst.example"}
		if entry, err := open(t, o).Lookup(t.Context(), daemon); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, entry, err)
		}
		o.FirstUID = 1
		entry, err := open(t, o).Lookup(t.Context(), daemon)
		if err != nil || *entry.Account.Owner != (directory.Owner{UID: 1, GID: 1}) || entry.Account.Home != "/usr/sbin" {
			t.Errorf("%s: %+v, %v", name, entry.Account, err)
		}
	}
}

// TestBadLines: a line costs its own account the mail, and the file that is not whole all of them.
func TestBadLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	o := options()
	o.File = path
	d := open(t, o)
	find := func(name string) error {
		_, err := d.Lookup(t.Context(), directory.Key{Local: name, Domain: "dst.example"})
		return err
	}
	good := "good:x:1000:1000::/home/good:/bin/sh\n"
	write(t, path, "short:x:1\nuid:x:-1:1::/h:\nmax:x:4294967295:1::/h:\ngid:x:1000::::\nhome:x:1000:1::../h:\nnone:x:1000:1:::\n"+good, 0o600)
	for _, name := range []string{"short", "uid", "max", "gid", "home"} {
		if err := find(name); err == nil || errors.Is(err, directory.ErrNotFound) ||
			!strings.Contains(err.Error(), name+"@dst.example") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"good", "none"} {
		if err := find(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for what, text := range map[string]string{"empty": "", "cut off": good + "other:x:1001:10",
		"a long line": good + strings.Repeat("x", 1<<20) + "\n"} {
		write(t, path, text, 0o600)
		if err := find("other"); err == nil || errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestBadPrograms: whatever a program does that is not getent, nobody is unknown for it, and nothing
// waits for longer than it may.
func TestBadPrograms(t *testing.T) {
	dir := t.TempDir()
	for what, script := range map[string]string{
		"fails":          "echo trouble >&2; exit 1",
		"is killed":      "kill -9 $$",
		"says nothing":   "exit 0",
		"has no end":     "printf alice:x:1000:1000",
		"says too much":  "yes alice | tr -d '\\n' | head -c 10000000",
		"hangs":          "exec sleep 60",
		"hangs behind":   "sleep 5 & exit 1",
		"is not allowed": "",
	} {
		program := filepath.Join(dir, strings.ReplaceAll(what, " ", "-"))
		mode := os.FileMode(0o755)
		if script == "" {
			mode = 0o644
		}
		write(t, program, "#!/bin/sh\n"+script+"\n", mode)
		o := options()
		o.Getent, o.Timeout = program, 5*time.Second
		if strings.HasPrefix(what, "hangs") {
			o.Timeout = 200 * time.Millisecond
		}
		_, err := open(t, o).Lookup(t.Context(), directory.Key{Local: "alice", Domain: "dst.example"})
		if err == nil || errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
		if what == "fails" && !strings.Contains(err.Error(), "trouble") {
			t.Errorf("%s: %v", what, err)
		}
	}
	o := options()
	o.Getent = filepath.Join(dir, "hangs")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := open(t, o).Lookup(ctx, directory.Key{Local: "alice", Domain: "dst.example"}); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("the caller has no more time: %v", err)
	}
}
