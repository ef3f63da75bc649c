package mailbox

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// pathDepth bounds the components of a path; each is a descriptor while it is made.
const pathDepth = 32

// A Dest names the Maildir that a copy goes to.
type Dest struct {
	// Root is a directory that must already be there: the fixed part of the store path. It
	// is never created, because a lost mount looks like a missing directory.
	Root string
	// Fixed is a directory above Root that must be there instead, where Root and what is between them may be made,
	// such as the home directory of an account; "" where it may not.
	Fixed string
	// Path is the Maildir below Root: relative, separated by slashes, without empty, "."
	// or ".." components. No symbolic link is followed on it.
	Path string
	// Folder is the directory of a Maildir++ folder in the Maildir, as FolderEncoding.Dir
	// names it; "" for the Maildir itself.
	Folder string
	// Owner is the user whose mailbox it is, and with whose rights it is given mail. The zero
	// Owner is the process itself.
	Owner Owner
	// MakeFolder makes the folder where it is missing, if the Maildir has fewer folders than
	// this, and subscribes to it. 0 never makes one.
	MakeFolder int
	// Quota is what the whole mailbox at Path may hold; the zero Quota: anything.
	Quota Quota
}

// AnyNumber as MakeFolder makes the folder however many there are.
const AnyNumber = math.MaxInt

// Inbox is the Maildir that the folder is in.
func (d Dest) Inbox() Dest {
	d.Folder, d.MakeFolder = "", 0
	return d
}

// An inbox tells a mailbox from others, whatever folder of it a copy goes to.
type inbox struct{ Root, Path string }

func (d Dest) inbox() inbox { return inbox{d.Root, d.Path} }

// String returns the whole path, for messages.
func (d Dest) String() string { return strings.TrimSuffix(d.Root, "/") + "/" + d.below() }

// below returns the path below Root of where the copy goes.
func (d Dest) below() string {
	if d.Folder == "" {
		return d.Path
	}
	return d.Path + "/" + d.Folder
}

// Check refuses a path that could lead out of Root or that no file system takes, and an owner that
// may not be one. Every use of a Dest begins with it.
func (d Dest) Check() error {
	if d.Root == "" {
		return errors.New("mail root is empty")
	}
	if d.Fixed != "" && !strings.HasPrefix(d.Root, strings.TrimSuffix(d.Fixed, "/")+"/") {
		return fmt.Errorf("mail root %q is not below %q", d.Root, d.Fixed)
	}
	if strings.Count(d.Path, "/") >= pathDepth {
		return fmt.Errorf("mailbox path %q: more than %d components", d.Path, pathDepth)
	}
	if d.Owner != (Owner{}) {
		if err := d.Owner.Check(); err != nil {
			return err
		}
	}
	if d.Folder != "" && (d.Folder[0] != '.' || strings.Contains(d.Folder, "/")) {
		return fmt.Errorf("folder %q of %q: not a directory of Maildir++", d.Folder, d.Path)
	}
	for part := range strings.SplitSeq(d.below(), "/") {
		switch {
		case part == "", part == ".", part == "..":
			return fmt.Errorf("mailbox path %q: component %q", d.Path, part)
		case strings.IndexByte(part, 0) >= 0:
			return fmt.Errorf("mailbox path %q: NUL", d.Path)
		case len(part) > 255:
			return fmt.Errorf("mailbox path %q: component over 255 octets", d.Path)
		}
	}
	return nil
}
