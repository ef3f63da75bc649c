package mailbox

import (
	"context"
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/quota"
	"os"
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

// Every system call of a delivery fails once, in every way it can (MDIR-04, MDIR-05, LMTP-08).
// Exactly the copies whose call it was fail, nothing of them stays, and the next delivery works.
func TestFaults(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.String(), func(t *testing.T) {
			if sc.owner != nil && os.Geteuid() != 0 {
				t.Skip("needs root, to deliver as other users")
			}
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
		if c.name == sc.absent {
			return unix.ENOSYS
		}
		return nil
	}
	s := open(t, sc.options(), sys)
	dests := sc.dests(t, root)
	if sc.existing {
		sc.settle(t, s, dests)
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
		if err != nil && (harmless(failing, errno) || sc.single && failing.name == "link") {
			t.Errorf("%s: copy %d failed: %v", what, i, err)
		}
		if errors.Is(err, ErrTogether) {
			continue // checkSets
		}
		if err != nil && (!sc.concerns(failing, root, i, d.Owner) || errors.Is(err, ErrOverQuota)) {
			t.Errorf("%s: copy %d failed: %v", what, i, err)
		}
		checkTally(t, d, what)
	}
	sc.checkSets(t, what, outcomes)
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
		if sc.quota != (Quota{}) && !tallyOf(t, dests[i]).Usable {
			t.Errorf("%s: the next delivery leaves no maildirsize", what)
		}
		checkTally(t, dests[i], what+", and the next delivery")
	}
	return fired
}

func (sc scenario) deliver(t *testing.T, s *Store, wire string, dests []Dest) []error {
	if !sc.together && sc.sets == nil {
		return send(t, s, wire, dests...)
	}
	m := begin(s)
	for _, d := range dests {
		m.Add(d, nil)
	}
	_, _ = m.Write([]byte(wire))
	if sc.sets != nil {
		return commit(t, inSets{m, Sets{Of: sc.sets}}, len(dests))
	}
	err := m.CommitAll(context.Background())
	return slices.Repeat([]error{err}, len(dests))
}

// An inSets is a message that is committed in sets.
type inSets struct {
	*outgoing
	sets Sets
}

func (m inSets) Commit(ctx context.Context, done func(copy int, err error)) {
	defer m.Close()
	m.CommitSets(ctx, m.sets, done)
}

// checkSets checks that a copy is there if all of one of its sets are, and for no other reason.
func (sc scenario) checkSets(t *testing.T, what string, outcomes []error) {
	t.Helper()
	if sc.sets == nil {
		return
	}
	want := make([]bool, len(outcomes))
	for _, set := range sc.sets {
		whole := !slices.ContainsFunc(set, func(i int) bool {
			return outcomes[i] != nil && !errors.Is(outcomes[i], ErrTogether)
		})
		for _, i := range set {
			want[i] = want[i] || whole
		}
	}
	for i, err := range outcomes {
		if (err == nil) != want[i] && !(err != nil && !errors.Is(err, ErrTogether)) {
			t.Errorf("%s: copy %d is there: %t, want %t: %v", what, i, err == nil, want[i], outcomes)
		}
	}
}

// concerns reports whether a failing call may fail copy i: it was for its Maildir, or for
// what all have in common.
func (sc scenario) concerns(c call, root string, i int, owner Owner) bool {
	switch {
	case c.name == "":
		return false
	case c.name == "as" && !sc.together:
		return c.path == owner.String()
	}
	rest := strings.TrimPrefix(c.path, root)
	_, user, ok := strings.Cut(rest, "/u")
	if !ok || sc.together || strings.HasPrefix(user, fmt.Sprint(i)) {
		return true
	}
	// The others read large content back from the first copy's file.
	return !sc.ownersDiffer() && sc.content > largeBuffer && (c.name == "pread" || c.name == "openat")
}

// fatal reports whether no delivery survives errno from c.
func (sc scenario) fatal(c call, errno unix.Errno) bool {
	if errno == errShort {
		return false
	}
	if strings.HasSuffix(c.path, quota.FileName) {
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

// A disk that dies in the middle of a transaction loses only mail that was refused.
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
