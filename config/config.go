package config

import (
	"io/fs"
	"log/slog"
	"net/netip"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Config is a whole configuration: defaults applied, paths absolute, addresses parsed.
// It is not changed after Load.
type Config struct {
	// Hostname is how the server names itself; by default the machine's name.
	Hostname string
	// Postmaster is where <Postmaster> without a domain goes (RFC 5321 §4.1.1.3). The zero
	// Address says that there is none, of which Load warns.
	Postmaster address.Address
	Listen     []Listen
	TLS        TLS
	Auth       Auth
	Limits     Limits
	Store      Store
	Quota      Quota
	Domains    []Domain
	Users      []User
	Aliases    []Alias
	Rules      []Rule
	// Directories are asked behind Users, in order.
	Directories []Directory
	Control     Control
	Admin       Admin
	Sandbox     Sandbox
	Log         Log

	settings []Setting
	places   map[string]Problem // where listen[…] and store say what CheckSystem checks
	said     map[string]string  // what the files say, by path, for Changes
	from     map[string]string  // and where, as file:line
	files    []string           // that were read
}

// A Protocol is what a listener speaks.
type Protocol string

// The protocols of a listener.
const (
	LMTP  Protocol = "lmtp"
	ESMTP Protocol = "esmtp"
)

// A Listen is one [[listen]] table.
type Listen struct {
	// Network and Address are what net.Listen takes: "unix" and an absolute path, or "tcp"
	// and host:port. With "systemd", Address is the name of the sockets that systemd opened.
	Network, Address string
	Protocol         Protocol

	// Mode, Owner and Group are of the socket file; zero on tcp. Owner and Group are names
	// or numbers (UserID, GroupID), "" to leave them as they come.
	Mode         fs.FileMode
	Owner, Group string
	// Peers are the users who may connect, by SO_PEERCRED; nil leaves it to Mode.
	Peers []string

	// TLS says when TLS begins; always TLSOff on unix.
	TLS TLSMode
	// RequireCertificate takes mail only from clients whose certificate is accepted.
	RequireCertificate bool
	// Auth are the mechanisms to offer (package auth); nil for none.
	Auth []string
	// RequireAuth takes mail only from clients that have authenticated.
	RequireAuth bool

	// Connections is the limit of this listener, never 0.
	Connections int
	BareLF      BareLF
	BareCR      BareCR
	// Lenient8BitLocalPart takes local parts in UTF-8 without SMTPUTF8.
	Lenient8BitLocalPart bool

	// TrustedNets, on tcp, and TrustedUsers, on unix, are the peers that may speak for others.
	TrustedNets  []netip.Prefix
	TrustedUsers []string
	// ProxyProtocol demands the PROXY header of the trusted, and refuses others.
	ProxyProtocol bool
	// MTPriority offers MT-PRIORITY (RFC 6710).
	MTPriority bool
}

// A BareLF says what happens to a line feed without its carriage return in content.
type BareLF string

// What to do with a bare LF.
const (
	RejectLF    BareLF = "reject"
	NormalizeLF BareLF = "normalize"
)

// A BareCR says what happens to a carriage return without its line feed in content.
type BareCR string

// What to do with a bare CR.
const (
	KeepCR   BareCR = "keep"
	RejectCR BareCR = "reject"
)

// Limits are the [limits] of the whole server.
type Limits struct {
	MessageSize int64 // octets of content
	Recipients  int   // per transaction, at least 100 (RFC 5321 §4.5.3.1.8)
	Connections int   // open at once, over all listeners

	DeliveriesPerMailbox int // at the same time; others wait

	ConnectionsPerPeer int // open at once from one IP address, 0 for any number
	Transactions       int // of one session, 0 for any number

	// Folders is up to how many folders of a mailbox details make more, and FolderLevels how
	// many levels these have.
	Folders, FolderLevels int

	IdleTimeout        time.Duration // between commands
	DataTimeout        time.Duration // between two reads of content
	TransferTimeout    time.Duration // for the whole content
	TransactionTimeout time.Duration // from the end of the content to its last reply
}

// A Durability says how a copy becomes durable before it is acknowledged.
type Durability string

// The durabilities.
const (
	DurableGroup Durability = "group" // syncs are shared between concurrent deliveries
	DurableEach  Durability = "each"  // one copy after the other
	DurableNone  Durability = "none"  // left to the kernel
)

// A Newline says which line ends messages have on disk.
type Newline string

// The line ends.
const (
	LF   Newline = "lf"
	CRLF Newline = "crlf" // as received
)

// A FolderEncoding says how the names of folders are written on disk.
type FolderEncoding string

// The encodings of folders' names.
const (
	FoldersUTF7 FolderEncoding = "utf-7" // modified UTF-7 (RFC 3501 §5.1.3)
	FoldersUTF8 FolderEncoding = "utf-8"
)

// A Store is the [store] table: where mailboxes are and how they are written.
type Store struct {
	// Path is the template of a Maildir's path, with {domain}, {local} or {home}. It is
	// absolute, or begins with {home}.
	Path       string
	Durability Durability
	Newline    Newline
	// Folders is the encoding of folders' names.
	Folders FolderEncoding
	// Create makes a missing Maildir at its first delivery.
	Create bool
	// SingleCopy stores a message for several mailboxes as one file with several names.
	SingleCopy bool

	// User and Group are whom the server runs as, names or numbers; "" for whoever starts it,
	// and for the group of User.
	User, Group string
	// Owners delivers to each account as its owner, who is FirstUID or above, with a group
	// that is FirstGID or above.
	Owners             bool
	FirstUID, FirstGID int
}

// Details says what becomes of mail with a subaddress's detail.
type Details string

// What to do with a detail.
const (
	DetailsInbox  Details = "inbox"  // nothing
	DetailsFolder Details = "folder" // into the folder of that name, where there is one
	DetailsCreate Details = "create" // which is made
)

// A Domain is one [[domain]] table.
type Domain struct {
	// Name and Aliases are as written; U-labels stay U-labels.
	Name    string
	Aliases []string
	// Keys are address.DomainKey of Name and of each alias, Name's first.
	Keys []string
	// CatchAll takes what no account matches; the zero Address when there is none.
	CatchAll address.Address
	// Subaddress holds the delimiters, each an ASCII character; "" for none.
	Subaddress string
	// Details says what becomes of mail with a detail.
	Details Details
	// Policy makes the keys of this domain's local parts.
	Policy address.LocalPolicy
}

// A User is one [[user]] table: an account in the file itself.
type User struct {
	Address address.Address
	Aliases []address.Address
	// Quota is in octets, and QuotaMessages in messages; 0 for none.
	Quota         int64
	QuotaMessages int64
	// Disabled is "", "defer" (450 4.2.1) or "reject" (550 5.2.1).
	Disabled string
	// EAI says that the mailbox takes internationalized mail (UTF8-11: else 550 5.6.9).
	EAI bool
	// Home is absolute, or "".
	Home string
	// Owner is the user whose mailbox it is, by name or number; "" where UID says it, or
	// nobody. UID and GID are numbers, 0 where they are not given.
	Owner    string
	UID, GID int
	// OwnerSince is when the account came to its present owner, the zero Time when unknown.
	OwnerSince time.Time
}

// A Sandbox is the [sandbox] table: what the server may still touch when it has started.
type Sandbox struct {
	Enabled bool
	Paths   []string // more directories to write to, absolute
}

// A Control is the [control] table.
type Control struct {
	// Socket is the path of the socket on which the server takes orders, absolute, or "".
	Socket string
}

// A Log is the [log] table.
type Log struct {
	Level  slog.Level
	Format LogFormat
}

// A LogFormat is how a log line is written.
type LogFormat string

// The log formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)
