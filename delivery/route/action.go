package route

import (
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// An Action is what becomes of a message for an account: Keep or File.
type Action interface {
	// For is the mailbox whose mail it is.
	For() Mailbox
	// Dest is the place of the copy that is made. Actions with the same place share a copy.
	Dest() mailbox.Dest
}

// A Mailbox is an account and its Maildir.
type Mailbox struct {
	Account *directory.Account
	Inbox   mailbox.Dest
	Detail  string // of the address that led there, "" for none
}

// For is the mailbox itself.
func (m Mailbox) For() Mailbox { return m }

// Keep puts the message into the inbox.
type Keep struct{ Mailbox }

// Dest is the inbox.
func (k Keep) Dest() mailbox.Dest { return k.Inbox }

// File puts the message into a folder.
type File struct {
	Mailbox
	// Folder and Make are mailbox.Dest's Folder and MakeFolder.
	Folder string
	Make   int
	// New is words.Fold of the name of a folder that is not there yet; "" for one that is.
	New string
}

// Dest is the folder.
func (f File) Dest() mailbox.Dest {
	to := f.Inbox
	to.Folder, to.MakeFolder = f.Folder, f.Make
	return to
}

// SamePlace reports whether two actions have one copy in common. Folders that are yet to be made are one where they
// differ in case only.
func SamePlace(a, b Action) bool {
	x, y := a.Dest(), b.Dest()
	x.MakeFolder, y.MakeFolder = 0, 0
	if f, ok := a.(File); ok && f.New != "" {
		if g, ok := b.(File); ok && f.New == g.New {
			y.Folder = x.Folder
		}
	}
	return x == y
}
