package mailbox

import (
	"fmt"
	"os"
)

// Options are the choices of a Store. The zero value is good.
type Options struct {
	// Durability is what success means; the default is Group.
	Durability Durability
	// CRLF stores content as received; otherwise lines end in LF on disk, as Unix readers
	// expect.
	CRLF bool
	// Create makes a missing Maildir at its first delivery.
	Create bool
	// Grace is by how many octets the last message may go over a quota.
	Grace int64
	// CountTrash counts the folder Trash towards quotas. Maildir++ does not, so that throwing
	// away makes room at once.
	CountTrash bool
	// Host is the host part of file names; default os.Hostname. Hosts that share a store
	// must differ in it.
	Host string
	// PerMailbox bounds the deliveries into one mailbox, its folders included, that are under way
	// at the same time; more wait for their turn, in order. Default DefaultPerMailbox.
	PerMailbox int
	// Parallel bounds the syncs in flight on one file system, because each holds a thread
	// of the operating system; default 64.
	Parallel int
	// Together bounds the copies that stand or fall together, of all messages with more than 32 of them: each keeps two
	// descriptors until all are published. Messages wait for one another, and one of more copies fails with
	// ErrTooManyTogether. [any number]
	Together int
	// Spool is the directory for large content that goes to several owners, which none of
	// them may be able to change; default $TMPDIR or /var/tmp. Nothing stays there.
	Spool string
	// Folders is how the names of folders are written on disk. With FolderUTF8 those that are made are subscribed to in
	// Courier's list too, where a Maildir has none yet. [FolderUTF7]
	Folders FolderEncoding
	// SingleCopy stores copies of a message with the same header, of one owner and on one file
	// system, as one file with several names.
	SingleCopy bool
	// Hooks learn how long steps took. [none]
	Hooks Hooks
}

// DefaultPerMailbox is how many deliveries into one mailbox are under way at the same time unless Options say
// otherwise. More would gain nothing: they share the sync of its directory. It leaves most of a file system's syncs to
// others.
const DefaultPerMailbox = 16

// defaultParallel is where the journals of ext4 and xfs stop gaining from more.
const defaultParallel = 64

// withDefaults sets what is not set.
func (o Options) withDefaults() (Options, error) {
	if o.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return o, fmt.Errorf("find the host name: %w", err)
		}
		o.Host = host
	}
	if o.Spool == "" {
		o.Spool = SpoolDirectory()
	}
	if o.PerMailbox <= 0 {
		o.PerMailbox = DefaultPerMailbox
	}
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	return o, nil
}

// SpoolDirectory is the default of Options.Spool, where files go that need not outlive the process: on a disk, which
// /tmp often is not (file-hierarchy(7)).
func SpoolDirectory() string {
	if dir := os.Getenv("TMPDIR"); dir != "" {
		return dir
	}
	return "/var/tmp"
}
