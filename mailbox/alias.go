package mailbox

import (
	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
	"github.com/doorstep-mail/doorstep/mailbox/quota"
)

// An Owner is a user of the operating system, with whose rights mail is delivered. The zero Owner is the process
// itself.
type Owner = kernel.Owner

// A Quota is what a mailbox may hold, all its folders together. A zero bounds nothing.
type Quota = quota.Limit

// A Usage is what a mailbox holds.
type Usage = quota.Usage

// A Durability says what a Store does to the disk before it reports success.
type Durability = durable.Mode

const (
	// Group syncs every copy, many at once, and shares the syncs of a directory.
	Group = durable.Group
	// Each syncs one copy after the other on each file system and shares nothing.
	Each = durable.Each
	// None leaves it to the kernel: a power cut loses mail that was reported as stored.
	None = durable.None
)

// A FolderEncoding says how the names of Maildir++ folders are written on disk.
type FolderEncoding = maildir.FolderEncoding

const (
	// FolderUTF7 is modified UTF-7 (RFC 3501 §5.1.3), as Dovecot writes. It is the zero value.
	FolderUTF7 = maildir.FolderUTF7
	// FolderUTF8 is plain UTF-8, as Courier writes, and Dovecot with mailbox_list_utf8.
	FolderUTF8 = maildir.FolderUTF8
)

// ErrFolderName says that a text can be no folder's name.
var ErrFolderName = maildir.ErrFolderName
