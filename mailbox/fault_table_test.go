package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A scenario is one transaction that is run again and again, with another of its system calls
// failing each time.
type scenario struct {
	transaction
	setting
	durability Durability
}

func (sc scenario) String() string {
	return fmt.Sprintf("%s, %s, %v", sc.transaction.name, sc.setting.name, sc.durability)
}

// A transaction is what goes where.
type transaction struct {
	name     string
	copies   int
	content  int  // octets
	existing bool // the Maildirs are there and known to be durable
	together bool // CommitAll
	sets     [][]int
	folder   bool   // into a folder that is made
	only     string // the only setting
	errnos   []unix.Errno
}

const smallContent, largeContent = 1000, largeBuffer + 1000

var transactions = []transaction{
	{name: "one copy", copies: 1, content: smallContent, existing: true, errnos: everyErrno},
	{name: "one copy, new Maildir", copies: 1, content: smallContent, errnos: everyErrno},
	{name: "three copies", copies: 3, content: smallContent, existing: true, errnos: fewErrnos},
	{name: "all or none", copies: 2, content: smallContent, existing: true, together: true, errnos: fewErrnos},
	{name: "sets", copies: 3, content: smallContent, existing: true, sets: overlapping, errnos: fewErrnos},
	{name: "large, sets", copies: 3, content: largeContent, existing: true, sets: overlapping, errnos: twoErrnos},
	{name: "new folder", copies: 1, content: smallContent, existing: true, folder: true, errnos: everyErrno},
	{name: "new folders in new Maildirs", copies: 2, content: smallContent, folder: true, errnos: fewErrnos},
	{name: "new folders, sets", copies: 3, content: smallContent, existing: true, folder: true, sets: overlapping,
		only: "quota"},
	{name: "large, one copy", copies: 1, content: largeContent, existing: true, errnos: everyErrno},
	{name: "large, three copies", copies: 3, content: largeContent, existing: true, errnos: fewErrnos},
	{name: "large, all or none", copies: 2, content: largeContent, together: true, errnos: fewErrnos},
}

// overlapping are sets of which one copy is in two, and one is also alone.
var overlapping = [][]int{{0, 1}, {1, 2}, {2}}

// everywhere reports whether a delivery is run with each durability. What large content and folders
// add is done before that matters.
func (d transaction) everywhere() bool { return d.content == smallContent && !d.folder }

// A setting is what the administrator has chosen, and what the machine lacks.
type setting struct {
	name   string
	single bool                   // single_copy
	owner  func(i int) Owner      // of mailbox i; nil for the process itself; others take root
	quota  Quota                  // of each mailbox
	absent string                 // a call that this kernel does not have
	fits   func(transaction) bool // which deliveries differ by it; nil for all
	// covered says that settings which need root have all its system calls too. It is run with failures only then, and
	// with one durability.
	covered bool
}

var (
	roomy    = Quota{Bytes: 1 << 30, Messages: 1000}
	settings = []setting{
		{name: "plain"},
		{name: "single copy", single: true, fits: transaction.several, covered: os.Geteuid() == 0},
		{name: "quota", quota: roomy, covered: os.Geteuid() == 0},
		{name: "an owner each", owner: ownerNumber, quota: roomy},
		{name: "one owner, single copy, quota", single: true, owner: func(int) Owner { return ownerNumber(0) },
			quota: roomy, fits: transaction.several},
		{name: "without renameat2", absent: "rename", fits: transaction.shortest},
		{name: "without openat2", absent: "openBeneath", fits: transaction.shortest},
	}
)

func (d transaction) several() bool  { return d.copies > 1 }
func (d transaction) shortest() bool { return d.copies == 1 && d.everywhere() }

var (
	everyErrno = []unix.Errno{
		unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.EMFILE, unix.ENOENT, unix.EACCES,
		unix.EROFS, unix.EXDEV, unix.EINTR, unix.EEXIST, unix.ENOSYS, errShort,
	}
	fewErrnos = []unix.Errno{unix.EDQUOT, unix.ENOENT, unix.EINTR, errShort}
	twoErrnos = []unix.Errno{unix.EIO, errShort}
)

// skipCovered skips a scenario whose system calls others have in the same places.
func (sc scenario) skipCovered(t *testing.T) {
	if sc.covered && sc.only == "" {
		t.Skip("other settings have its system calls")
	}
}

// scenarios is every transaction in every setting.
func scenarios() (all []scenario) {
	for _, set := range settings {
		for _, d := range transactions {
			for _, durability := range durabilities {
				if set.fits != nil && !set.fits(d) || d.only != "" && d.only != set.name {
					continue
				}
				if durability != Group && (!d.everywhere() || set.covered) {
					continue
				}
				sc := scenario{d, set, durability}
				if set.name != "plain" && (d.several() || !d.everywhere() || durability != Group) {
					sc.errnos = twoErrnos
				}
				all = append(all, sc)
			}
		}
	}
	return all
}

func (sc scenario) options() Options {
	encoding := courier[sc.folder && sc.existing]
	return Options{Create: true, Durability: sc.durability, SingleCopy: sc.single, Folders: encoding}
}

func (sc scenario) ownersDiffer() bool { return sc.owner != nil && sc.owner(0) != sc.owner(1) }

// dests are the places of the copies.
func (sc scenario) dests(t *testing.T, root string) (dests []Dest) {
	for i := range sc.copies {
		to := Dest{Root: root, Path: fmt.Sprintf("d/u%d", i)}
		if sc.owner != nil {
			to = homeOf(t, root, i, sc.owner(i))
		}
		to.Quota = sc.quota
		if sc.folder {
			to.Folder, to.MakeFolder = ".Lists.Go", 2
		}
		dests = append(dests, to)
	}
	return dests
}

// settle makes the Maildirs, empty, and lets s know them.
func (sc scenario) settle(t *testing.T, s *Store, dests []Dest) {
	for _, to := range dests {
		to = to.Inbox()
		if err := send(t, s, "", to)[0]; err != nil {
			t.Fatal(err)
		}
		for _, name := range in(t, to.String(), "new") {
			os.Remove(filepath.Join(to.String(), "new", name))
		}
		if to.Quota != (Quota{}) {
			if _, err := s.Recount(t.Context(), to, nil); err != nil {
				t.Fatal(err)
			}
		}
		if sc.folder {
			write(t, "INBOX.Sent\n", to.String(), "courierimapsubscribed")
			if sc.owner != nil {
				if err := give(filepath.Join(to.String(), "courierimapsubscribed"), to.Owner); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
