package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// scratch is a directory in memory where there is one: nothing here depends on the disk.
func scratch(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "mailbox")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// A scenario is one transaction that is run again and again, with another of its system
// calls failing each time.
type scenario struct {
	name     string
	opts     Options
	copies   int
	content  int  // octets
	existing bool // the Maildirs are there and known to be durable
	together bool // CommitAll
	owners   bool // each Maildir is another user's; takes root
	folder   bool // into a folder that is made
	quota    Quota
	errnos   []unix.Errno
	// missing are calls that this kernel does not have.
	missing []string
}

var (
	everyErrno = []unix.Errno{
		unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.EMFILE, unix.ENOENT, unix.EACCES,
		unix.EROFS, unix.EXDEV, unix.EINTR, unix.EEXIST, unix.ENOSYS, errShort,
	}
	fewErrnos = []unix.Errno{unix.EDQUOT, unix.ENOENT, unix.EINTR, errShort}
)

// Every system call of a delivery fails once, in every way it can (MDIR-04, MDIR-05, LMTP-08).
// Exactly the copies whose call it was fail, nothing of them stays, and the next delivery works.
func TestFaults(t *testing.T) {
	const small, large = 1000, 2*largeBuffer + 1000
	var scenarios []scenario
	for _, durability := range durabilities {
		o := Options{Create: true, Durability: durability}
		scenarios = append(scenarios,
			scenario{name: "one copy", opts: o, copies: 1, content: small, existing: true, errnos: everyErrno},
			scenario{name: "one copy, new Maildir", opts: o, copies: 1, content: small, errnos: everyErrno},
			scenario{name: "three copies", opts: o, copies: 3, content: small, existing: true, errnos: fewErrnos},
			scenario{name: "all or none", opts: o, copies: 2, content: small, existing: true, together: true, errnos: fewErrnos},
		)
	}
	o, single := Options{Create: true}, Options{Create: true, SingleCopy: true}
	scenarios = append(scenarios,
		scenario{name: "large, one copy", opts: o, copies: 1, content: large, existing: true, errnos: everyErrno},
		scenario{name: "large, three copies", opts: o, copies: 3, content: large, existing: true, errnos: fewErrnos},
		scenario{name: "large, all or none", opts: o, copies: 2, content: large, together: true, errnos: fewErrnos},
		scenario{name: "new folder", opts: Options{Create: true, Courier: true}, copies: 1, content: small, existing: true, folder: true, errnos: everyErrno},
		scenario{name: "new folders in new Maildirs", opts: o, copies: 2, content: small, folder: true, errnos: fewErrnos},
		scenario{name: "single copy", opts: single, copies: 3, content: small, existing: true, errnos: everyErrno},
		scenario{name: "single copy, large", opts: single, copies: 3, content: large, errnos: fewErrnos},
		scenario{name: "single copy, all or none", opts: single, copies: 3, content: small, existing: true, together: true, errnos: fewErrnos},
		scenario{name: "without renameat2", opts: o, copies: 1, content: small, existing: true, errnos: everyErrno, missing: []string{"rename"}},
		scenario{name: "without openat2", opts: o, copies: 2, content: small, errnos: fewErrnos, missing: []string{"openBeneath"}},
	)
	roomy := Quota{Bytes: 1 << 30, Messages: 1000}
	if os.Geteuid() == 0 {
		scenarios = append(scenarios,
			scenario{name: "owners", opts: o, copies: 2, content: small, errnos: everyErrno, owners: true},
			scenario{name: "owners, large", opts: o, copies: 2, content: large, errnos: fewErrnos, owners: true, existing: true},
			scenario{name: "owners, new folders", opts: o, copies: 2, content: small, errnos: fewErrnos, owners: true, folder: true},
			scenario{name: "owners, all or none", opts: o, copies: 2, content: small, errnos: fewErrnos, owners: true, together: true},
			scenario{name: "owners, quota", opts: o, copies: 2, content: small, existing: true, quota: roomy, errnos: fewErrnos, owners: true},
		)
	}
	scenarios = append(scenarios,
		scenario{name: "quota", opts: o, copies: 1, content: small, existing: true, quota: roomy, errnos: everyErrno},
		scenario{name: "quota, new Maildir", opts: o, copies: 1, content: small, quota: roomy, errnos: everyErrno},
		scenario{name: "quota, three copies", opts: o, copies: 3, content: small, existing: true, quota: roomy, errnos: fewErrnos},
		scenario{name: "quota, all or none", opts: o, copies: 2, content: small, existing: true, together: true, quota: roomy, errnos: everyErrno},
	)
	for _, sc := range scenarios {
		t.Run(fmt.Sprintf("%s %v", sc.name, sc.opts.Durability), func(t *testing.T) {
			t.Parallel()
			for _, errno := range sc.errnos {
				for n := 0; sc.run(t, n, errno); n++ {
					if n == 1000 {
						t.Fatal("the transaction never ends")
					}
				}
			}
		})
	}
}

// run runs the transaction with call n failing, and reports whether there was a call n.
func (sc scenario) run(t *testing.T, n int, errno unix.Errno) (fired bool) {
	root := scratch(t)
	defer os.RemoveAll(root)
	sys := newProbe()
	sys.before = func(_ int, c call) error {
		if slices.Contains(sc.missing, c.name) {
			return unix.ENOSYS
		}
		return nil
	}
	s := open(t, sc.opts, sys)
	dests := make([]Dest, sc.copies)
	for i := range dests {
		dests[i] = Dest{Root: root, Path: fmt.Sprintf("d/u%d", i)}
		if sc.owners {
			dests[i] = home(t, root, i)
		}
		dests[i].Quota = sc.quota
		if sc.existing {
			if err := send(t, s, "", dests[i])[0]; err != nil {
				t.Fatal(err)
			}
			for _, name := range in(t, dests[i].String(), "new") {
				os.Remove(filepath.Join(dests[i].String(), "new", name))
			}
			os.Remove(filepath.Join(dests[i].String(), maildirsize))
		}
		if sc.folder {
			if sc.existing {
				write(t, "INBOX.Sent\n", dests[i].String(), "courierimapsubscribed")
			}
			dests[i].Folder, dests[i].MakeFolder = ".Lists.Go", 2
		}
	}
	sys.take()

	var failing call
	missing := sys.before
	sys.before = func(i int, c call) error {
		if i == n {
			if errno == errShort && c.name != "writev" && c.name != "pread" {
				fired = true
				return missing(i, c)
			}
			fired, failing = true, c
			return errno
		}
		return missing(i, c)
	}
	wire, disk := lines(sc.content)
	outcomes := sc.deliver(t, s, wire, dests)
	sys.before = missing

	what := fmt.Sprintf("call %d %s %s: %v", n, failing.name, strings.TrimPrefix(failing.path, root), errno)
	for i, err := range outcomes {
		d := dests[i]
		if err == nil {
			if got := mails(t, d); len(got) != 1 || got[0] != disk {
				t.Errorf("%s: copy %d is reported as stored, new/ has %d files", what, i, len(got))
			}
		} else if left := in(t, d.String(), "new"); left != nil && failing.name != "unlink" {
			t.Errorf("%s: copy %d failed (%v), new/ has %q", what, i, err, left)
		}
		if left := in(t, d.String(), "tmp"); left != nil && failing.name != "unlink" {
			t.Errorf("%s: tmp/ has %q", what, left)
		}
		if err != nil && (harmless(failing, errno) || sc.opts.SingleCopy && failing.name == "link") {
			t.Errorf("%s: copy %d failed: %v", what, i, err)
		}
		if err != nil && !sc.concerns(failing, root, i) {
			t.Errorf("%s: copy %d failed: %v", what, i, err)
		}
	}
	if sc.fatal(failing, errno) && !slices.ContainsFunc(outcomes, func(err error) bool { return errors.Is(err, errno) }) {
		t.Errorf("%s: outcomes %v", what, outcomes)
	}
	if open := sys.leaks(); open != nil {
		t.Errorf("%s: left open: %q", what, open)
	}
	for i, err := range send(t, s, "next\r\n", dests...) {
		if err != nil {
			t.Errorf("%s: next delivery to %d: %v", what, i, err)
		}
		if sc.folder && !(errno == unix.EEXIST && strings.HasSuffix(failing.path, "maildirfolder")) { // the kernel knows
			wantFolder(t, what, dests[i], failing.name == "unlink")
		}
		if sc.quota != (Quota{}) {
			checkTally(t, dests[i], what)
		}
	}
	return fired
}

func (sc scenario) deliver(t *testing.T, s *Store, wire string, dests []Dest) []error {
	if !sc.together {
		return send(t, s, wire, dests...)
	}
	m := s.NewMessage()
	for _, d := range dests {
		m.Add(d, nil)
	}
	_, _ = m.Write([]byte(wire))
	err := m.CommitAll(context.Background())
	return slices.Repeat([]error{err}, len(dests))
}

// concerns reports whether a failing call may fail copy i: it was for its Maildir, or for
// what all have in common.
func (sc scenario) concerns(c call, root string, i int) bool {
	if c.name == "" {
		return false
	}
	rest := strings.TrimPrefix(c.path, root)
	_, user, ok := strings.Cut(rest, "/u")
	if !ok || sc.together || strings.HasPrefix(user, fmt.Sprint(i)) {
		return true
	}
	// The others read large content back from the first copy's file.
	return !sc.owners && sc.content > largeBuffer && (c.name == "pread" || c.name == "openat")
}

// fatal reports whether no delivery survives errno from c.
func (sc scenario) fatal(c call, errno unix.Errno) bool {
	if errno == errShort {
		return false
	}
	if strings.HasSuffix(c.path, maildirsize) {
		return false
	}
	switch c.name {
	case "fsync", "takesChanges":
		return true
	case "writev":
		return errno != unix.EINTR
	case "rename":
		return errno != unix.EEXIST && errno != unix.ENOSYS
	case "close":
		// A mail file. What else is closed was only read: directories, and the first copy's
		// file where the others read it back.
		return strings.HasSuffix(c.path, ".h") && (sc.copies == 1 || sc.content < largeBuffer)
	}
	return false
}

// harmless reports whether every delivery survives errno from c.
func harmless(c call, errno unix.Errno) bool {
	switch errno {
	case unix.EINTR:
		return slices.Contains([]string{"openat", "openBeneath", "writev", "pread"}, c.name)
	case unix.EEXIST:
		return c.name == "rename" || c.name == "openat" && strings.HasSuffix(c.path, ".h")
	case unix.ENOSYS:
		return c.name == "rename" || c.name == "openBeneath"
	case errShort:
		return true
	}
	return false
}

// A disk that dies in the middle of a transaction takes mail only from those who were told so.
func TestDiskDies(t *testing.T) {
	wire, disk := lines(2*largeBuffer + 1000)
	for n := 0; ; n++ {
		root := scratch(t)
		dests := []Dest{{Root: root, Path: "d/u0"}, {Root: root, Path: "d/u1"}}
		sys := newProbe()
		sys.before = func(i int, _ call) error {
			if i >= n {
				return unix.EIO
			}
			return nil
		}
		s := open(t, Options{Create: true, Parallel: 1}, sys)
		for i, err := range send(t, s, wire, dests...) {
			if got := mails(t, dests[i]); err == nil && (len(got) != 1 || got[0] != disk) {
				t.Errorf("call %d: copy %d is reported as stored, new/ has %d files", n, i, len(got))
			}
		}
		if open := sys.leaks(); open != nil {
			t.Errorf("call %d: left open: %q", n, open)
		}
		if len(sys.take()) <= n {
			return
		}
	}
}
