package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// The rules that a Finding breaks; they are words for programs.
const (
	RuleName      = "name"      // the name of a message or folder has the wrong form
	RuleSize      = "size"      // S= or W= in a name is not what the file has
	RuleDuplicate = "duplicate" // two messages have one unique part
	RuleStranger  = "stranger"  // something else where messages or directories belong
	RuleLeftover  = "leftover"  // a file in tmp/ is older than SweepAge
	RuleOwner     = "owner"     // belongs to another user than the mailbox
	RuleMode      = "mode"      // too open, or closed to its owner
	RuleMissing   = "missing"   // new/, cur/ or tmp/ is not there
)

// A Finding is something wrong in a Maildir. Its texts may have any octets that were written into it, controls
// included.
type Finding struct {
	Folder string // the name of the folder; "" is the inbox
	File   string // where in the folder, such as "cur/1.a:2,S"; "" is the folder itself
	Rule   string
	Wrong  string // what is wrong, in words
	Hint   string // what may be done about it
}

// Verified is what Verify found in a mailbox.
type Verified struct {
	Messages int
	Findings []Finding
	More     int // findings beyond the limit
}

// Verify looks for what is wrong in a mailbox and its folders, and returns up to limit findings. It reads as the owner,
// changes nothing, follows no symbolic link, and opens only regular files: those whose names have W=, or an S= that
// differs. Without an owner, all must belong to the user who owns the Maildir itself. With an error it returns what it
// found before.
func (s *Store) Verify(ctx context.Context, of Dest, limit int) (Verified, error) {
	home, err := s.maildirs.openHome(of.Inbox())
	if err != nil {
		return Verified{}, err
	}
	defer s.disk.Shut(home)
	is, err := s.disk.Stat(home, "")
	if err != nil {
		return Verified{}, fmt.Errorf("stat %s: %w", of.Inbox(), err)
	}
	v := &verifier{fs: s.disk.FS, ctx: ctx, limit: limit, owner: is.Owner, before: s.disk.Now().Add(-SweepAge)}
	if of.Owner != (Owner{}) {
		v.owner = of.Owner.UID
	}
	err = v.fs.As(of.Owner, func() error { return v.mailbox(home, s.opts.Folders) })
	if err != nil {
		err = fmt.Errorf("verify %s: %w", of.Inbox(), err)
	}
	return v.found, err
}

// A verifier collects findings.
type verifier struct {
	fs     kernel.FS
	ctx    context.Context
	limit  int
	owner  uint32    // whose everything must be
	before time.Time // what is in tmp/ since then was left behind
	names  uniques   // of the folder that is read
	found  Verified
	buf    [64 << 10]byte
}

// add adds a finding, which is at a place.
func (v *verifier) add(at Finding, rule, wrong, hint string) {
	if len(v.found.Findings) >= v.limit {
		v.found.More++
		return
	}
	at.Rule, at.Wrong, at.Hint = rule, wrong, hint
	v.found.Findings = append(v.found.Findings, at)
}

// mailbox verifies the Maildir home, and then its folders.
func (v *verifier) mailbox(home int, e FolderEncoding) error {
	_, err := v.enter(home, ".", Finding{}, func(dir int) error { return v.folder(dir, "") })
	if err != nil {
		return err
	}
	// Reading a directory moves in it, so that this needs a descriptor of its own.
	err = v.fs.Within(home, ".", func(dir int) error {
		return v.fs.List(v.ctx, dir, func(name string) error {
			if name[0] != '.' {
				return nil
			}
			return v.below(home, name, e)
		})
	})
	if errors.Is(err, unix.EACCES) {
		return nil // found already
	}
	return err
}

// below verifies what has the name of a folder. Hidden files are of other programs.
func (v *verifier) below(home int, name string, e FolderEncoding) error {
	is, err := v.fs.Stat(home, name)
	if err != nil || is.Type != unix.S_IFDIR && is.Type != unix.S_IFLNK {
		return v.unless(Finding{Folder: name}, err)
	}
	folder, err := e.Name(name)
	if err != nil {
		folder = name
		v.add(Finding{Folder: folder}, RuleName, "the directory has no name that a folder can have: "+err.Error(),
			"rename it, or see store.folders, the encoding of folders")
	}
	_, err = v.enter(home, name, Finding{Folder: folder}, func(dir int) error { return v.folder(dir, folder) })
	return err
}

// folder verifies a Maildir or folder that is open as dir.
func (v *verifier) folder(dir int, folder string) error {
	v.names = newUniques(maxNames)
	var missing []string
	for _, name := range []string{"new", "cur", "tmp"} {
		at := Finding{Folder: folder, File: name}
		there, err := v.enter(dir, name, at, func(in int) error {
			return v.fs.List(v.ctx, in, func(file string) error {
				at := at
				at.File += "/" + file
				if name == "tmp" {
					return v.leftover(in, file, at)
				}
				return v.message(in, file, at)
			})
		})
		if err != nil {
			return err
		}
		if !there {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		v.add(Finding{Folder: folder}, RuleMissing, "the folder has no "+strings.Join(missing, ", no "),
			"a delivery makes it; a directory that is no folder belongs elsewhere")
	}
	return v.duplicates(dir, folder)
}

// enter calls do with a directory, and reports whether there is something of that name. Something else in its place,
// and what its owner may not open, is a finding.
func (v *verifier) enter(dir int, name string, at Finding, do func(fd int) error) (there bool, err error) {
	fd, err := v.fs.Open(dir, name, kernel.AsDirectory)
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		v.add(at, RuleStranger, "it is no directory, and is not followed", "move it away: mail is not delivered through it")
		return true, nil
	case err != nil:
		return true, v.unless(at, err)
	}
	defer v.fs.Shut(fd)
	is, err := v.fs.Stat(fd, "")
	if err != nil {
		return true, fmt.Errorf("stat %s: %w", name, err)
	}
	v.rights(at, is, 0o700)
	return true, do(fd)
}

// unless returns an error that no owner can bring about; others are findings, and what has gone meanwhile is nothing.
func (v *verifier) unless(at Finding, err error) error {
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		v.add(at, RuleMode, "the user of the mailbox may not read it", "chown or chmod it, and what is above it")
		return nil
	}
	return fmt.Errorf("%s: %w", at.File, err)
}

// rights checks owner and mode: the owner must have at least the rights of need, and others than the group may
// neither read nor write. What the group may is for the administrator to say.
func (v *verifier) rights(at Finding, is kernel.FileState, need uint32) {
	if is.Owner != v.owner {
		v.add(at, RuleOwner, fmt.Sprintf("it belongs to user %d, not to %d", is.Owner, v.owner),
			fmt.Sprintf("chown %d", v.owner))
	}
	if is.Mode&need != need {
		v.add(at, RuleMode, fmt.Sprintf("mode %04o keeps its owner out", is.Mode), fmt.Sprintf("chmod %04o", need))
	}
	if is.Mode&0o006 != 0 {
		v.add(at, RuleMode, fmt.Sprintf("mode %04o is open to every user", is.Mode), "chmod o-rwx")
	}
}

// leftover checks what is in tmp/.
func (v *verifier) leftover(tmp int, name string, at Finding) error {
	is, err := v.fs.Stat(tmp, name)
	if err != nil {
		return v.unless(at, err)
	}
	if !is.Modified.Before(v.before) || is.Regular && !is.Read.Before(v.before) {
		return nil
	}
	hint := "remove it, if the program that wrote it does not"
	if is.Regular && maildir.IsOwn(name) {
		hint = "doorstep mailbox sweep removes it"
	}
	v.add(at, RuleLeftover, "it has been in tmp since "+is.Modified.UTC().Format(time.RFC3339), hint)
	return nil
}
