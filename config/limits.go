package config

import (
	"time"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// Limits are the [limits] of the whole server.
type Limits struct {
	MessageSize int64 // octets of content
	Recipients  int   // per transaction, at least 100 (RFC 5321 §4.5.3.1.8)
	Connections int   // open at once, over all listeners

	DeliveriesPerMailbox int // at the same time; others wait
	Syncs                int // at the same time on one file system; 0 for the store's own. No key: see Room.Fit
	Together             int // copies that stand or fall together, of all messages; 0 for any number. No key, as Syncs

	ConnectionsPerPeer int // open at once from one IPv4 address or IPv6 /64, 0 for any number
	MinDataRate        int // octets of content a second while connections are scarce, 0 for none
	Transactions       int // of one session, 0 for any number

	// Folders bounds the folders of a mailbox that may be created by details, and FolderLevels their levels.
	Folders, FolderLevels int

	// AliasTargets bounds what an alias may stand for, and AliasDepth the aliases within aliases.
	AliasTargets, AliasDepth int

	IdleTimeout        time.Duration // between commands
	DataTimeout        time.Duration // between two reads of content
	TransferTimeout    time.Duration // for the whole content
	TransactionTimeout time.Duration // from the end of the content to its last reply
}

var limitsSection = table.Section[Limits]{
	Name: "limits",
	Doc:  "Bounds of the whole server.",
	Keys: []table.Key[Limits]{
		{Name: "message_size", Default: `"50MiB"`,
			Kind: table.Size(64<<10, 1<<40, func(l *Limits) *int64 { return &l.MessageSize }),
			Doc:  "The largest message, announced as SIZE."},
		{Name: "recipients", Kind: table.Count(100, 999_999, func(l *Limits) *int { return &l.Recipients }), Default: "1000",
			Doc: "Recipients of one message. Not under 100 (RFC 5321 §4.5.3.1.8)."},
		{Name: "connections", Default: "1000",
			Kind: table.Count(1, 1_000_000, func(l *Limits) *int { return &l.Connections }),
			Doc: "Connections open at once, over all sockets. The last tenth is kept for peers with fewer connections " +
				"than others have. See overload.md."},
		{Name: "connections_per_peer", Default: "100",
			Kind: table.Count(0, 1_000_000, func(l *Limits) *int { return &l.ConnectionsPerPeer }),
			Doc: "Connections open at once from one IPv4 address or one IPv6 network of 64 bits, over all TCP sockets; 0 for " +
				"no limit. Others are refused with 421."},
		{Name: "min_data_rate", Default: "500",
			Kind: table.Count(0, 1_000_000, func(l *Limits) *int { return &l.MinDataRate }),
			Doc: "Octets of content a second that a client must send while more than 3/4 of the connections are taken; 0 " +
				"for none. A session that lags 30 seconds is ended with 421."},
		{Name: "deliveries_per_mailbox", Default: "16",
			Kind: table.Count(1, 1000, func(l *Limits) *int { return &l.DeliveriesPerMailbox }),
			Doc: "Deliveries into one mailbox at the same time. More wait for their turn, no longer than " +
				"transaction_timeout, and hold up no other mailbox."},
		{Name: "transactions", Kind: table.Count(0, 999_999, func(l *Limits) *int { return &l.Transactions }), Default: "0",
			Doc: "Messages of one session, announced as LIMITS MAILMAX; 0 for no limit. The session is ended with 421 4.7.0 " +
				"at the next."},
		{Name: "folders", Kind: table.Count(0, 10_000, func(l *Limits) *int { return &l.Folders }), Default: "100",
			Doc: "Folders of one mailbox. With detail = \"create\" in a domain, strangers can create folders up to this " +
				"number; other mail whose folder is missing goes to the inbox."},
		{Name: "folder_levels", Kind: table.Count(1, 30, func(l *Limits) *int { return &l.FolderLevels }), Default: "2",
			Doc: "Levels of a folder that a detail makes: alice+lists.go@example.org has two."},
		{Name: "alias_targets", Default: "1000",
			Kind: table.Count(1, 10_000, func(l *Limits) *int { return &l.AliasTargets }),
			Doc: "Addresses that an alias may stand for, those of its aliases among them. One that is there twice counts " +
				"once. Mail for an alias of more is deferred (451 4.3.5). See aliases.md."},
		{Name: "alias_depth", Kind: table.Count(1, 100, func(l *Limits) *int { return &l.AliasDepth }), Default: "20",
			Doc: "How many aliases deep an alias may be: one for accounts alone is 1 deep. Mail for one that is deeper is " +
				"deferred (451 4.3.5)."},
		{Name: "idle_timeout", Default: `"5m"`,
			Kind: table.Duration(time.Second, 24*time.Hour, func(l *Limits) *time.Duration { return &l.IdleTimeout }),
			Doc:  "How long a client may be silent between commands. Under 5m is against RFC 5321 §4.5.3.2.7."},
		{Name: "data_timeout", Default: `"5m"`,
			Kind: table.Duration(time.Second, 24*time.Hour, func(l *Limits) *time.Duration { return &l.DataTimeout }),
			Doc:  "How long a client may be silent within a message."},
		{Name: "transfer_timeout", Default: `"1h"`,
			Kind: table.Duration(time.Second, 24*time.Hour, func(l *Limits) *time.Duration { return &l.TransferTimeout }),
			Doc:  "How long the whole of a message may take to come, however steadily it does."},
		{Name: "transaction_timeout", Default: `"8m"`,
			Kind: table.Duration(time.Second, 10*time.Minute-time.Second,
				func(l *Limits) *time.Duration { return &l.TransactionTimeout }),
			Doc: "How long delivery may take once a message has been received; recipients not finished by then get 451. " +
				"Clients wait 10m (RFC 5321 §4.5.3.2.6)."},
	},
}
