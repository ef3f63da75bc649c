package config

import (
	"io/fs"
	"log/slog"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/auth"
)

// A key is one line of the configuration's description.
type key struct {
	name string
	kind
	// fallback is the default as it would be written; "" where absence has a meaning of its
	// own, which doc says.
	fallback string
	// example is what the default configuration shows where there is no fallback.
	example string
	// examples are those of drivers for which example would be none.
	examples map[Driver]string
	required bool
	// drivers are those that read the key, where not all do.
	drivers []Driver
	// restart marks what a reload does not change.
	restart bool
	doc     string
}

// A section is a table of the configuration, or an array of them.
type section struct {
	name  string // "" is the document itself
	array bool
	// begin appends an element to the array and returns its index.
	begin func(r *reader) int
	doc   string
	// sample is what the default configuration shows, commented out, of a section that most do
	// without.
	sample []string
	keys   []key
}

// sections is the one description of the configuration file.
var sections = []section{
	{
		doc: "The server itself.",
		keys: []key{
			{
				name: "hostname", kind: text("a host name", readHostname), example: `"mail.example.org"`,
				doc: "How the server names itself in greetings and trace fields. Default: the machine's name.",
			},
			{
				name: "postmaster", kind: text("an address", readPostmaster), example: `"postmaster@example.org"`,
				doc: "The account that takes mail for <Postmaster> without a domain (RFC 5321 §4.5.1). Default: the first domain's postmaster, else its catch-all.",
			},
		},
	},
	{
		name: "listen", array: true, begin: beginListen,
		doc: "A socket to take mail on. At least one is needed.",
		keys: []key{
			{
				name: "address", kind: text("unix:PATH, tcp:HOST:PORT or systemd:NAME", readListenAddress),
				example: `"unix:/run/doorstep/lmtp.sock"`, required: true, restart: true,
				doc: "Where to listen. systemd:NAME takes the sockets that systemd opened and gave that name (FileDescriptorName of a socket unit).",
			},
			{
				name: "protocol", fallback: `"lmtp"`,
				kind: choice(func(r *reader) *Protocol { return &r.listen.Protocol }, option[Protocol]{"lmtp", LMTP}, option[Protocol]{"esmtp", ESMTP}),
				doc:  "LMTP answers for each recipient on its own; prefer it where the sender speaks it. LMTP is refused on TCP port 25 (RFC 2033 §5).",
			},
			{
				name: "mode", kind: mode(func(r *reader) *fs.FileMode { return &r.listen.Mode }), fallback: `"0660"`, restart: true,
				doc: "Unix sockets: the mode of the socket file.",
			},
			{
				name: "owner", kind: text("a user", readOwner), example: `"doorstep"`, restart: true,
				doc: "Unix sockets: the owner of the socket file. Default: the user who runs the server.",
			},
			{
				name: "group", kind: text("a group", readGroup), example: `"postfix"`, restart: true,
				doc: "Unix sockets: the group of the socket file. Default: the group that runs the server.",
			},
			{
				name: "peers", kind: list("users", beginPeers, readPeer), example: `["postfix", "root"]`,
				doc: "Unix sockets: the users who may connect, as the kernel tells (SO_PEERCRED). Default: whom the mode lets in.",
			},
			{
				name: "connections", kind: count(1, 1_000_000, func(r *reader) *int { return &r.listen.Connections }), example: "1000",
				doc: "Connections open at once on this socket. Default: limits.connections.",
			},
			{
				name: "bare_lf", fallback: `"reject"`,
				kind: choice(func(r *reader) *BareLF { return &r.listen.BareLF }, option[BareLF]{"reject", RejectLF}, option[BareLF]{"normalize", NormalizeLF}),
				doc:  "A line feed without carriage return in a message: reject it with 554 5.6.0, or normalize it to a line end.",
			},
			{
				name: "bare_cr", fallback: `"keep"`,
				kind: choice(func(r *reader) *BareCR { return &r.listen.BareCR }, option[BareCR]{"keep", KeepCR}, option[BareCR]{"reject", RejectCR}),
				doc:  "A carriage return without line feed in a message: keep it as data, or reject it with 554 5.6.0.",
			},
			{
				name: "lenient_8bit_localpart", kind: toggle(func(r *reader) *bool { return &r.listen.Lenient8BitLocalPart }), fallback: "false",
				doc: "Take local parts in UTF-8 from clients that did not ask for SMTPUTF8, against RFC 6531 §3.5. Postfix hands on such addresses of senders that never asked; without this they are refused with 5.6.7. See smtputf8.md.",
			},
			{
				name: "trusted", kind: list("addresses and prefixes, or users", beginTrusted, readTrusted), example: `["postfix"]`,
				doc: "Who may say whom it speaks for (XCLIENT, XFORWARD), ask for more than usual priority, and send the PROXY header: on TCP addresses and prefixes such as \"10.0.0.0/8\", on Unix sockets users, as the kernel tells. What they say is logged and grants nothing. Default: nobody.",
			},
			{
				name: "proxy_protocol", kind: toggle(func(r *reader) *bool { return &r.listen.ProxyProtocol }), fallback: "false",
				doc: "Demand the PROXY header of HAProxy, version 1 or 2, at the beginning of each connection, and from trusted peers only. The address in it is then the client's, also for trusted and limits.connections_per_peer.",
			},
			{
				name: "mt_priority", kind: toggle(func(r *reader) *bool { return &r.listen.MTPriority }), fallback: "false",
				doc: "Offer MT-PRIORITY (RFC 6710): priorities are logged and written into the trace field.",
			},
			{
				name: "tls", fallback: `"off"`,
				kind: choice(func(r *reader) *TLSMode { return &r.listen.TLS }, option[TLSMode]{"off", TLSOff}, option[TLSMode]{"starttls", TLSStart},
					option[TLSMode]{"required", TLSRequired}, option[TLSMode]{"implicit", TLSImplicit}),
				doc: "TCP: starttls offers STARTTLS, required takes no mail before it, implicit begins with TLS. Needs [tls]. See tls-and-auth.md.",
			},
			{
				name: "require_certificate", kind: toggle(func(r *reader) *bool { return &r.listen.RequireCertificate }), fallback: "false",
				doc: "TLS: take mail only from clients with a certificate that tls.client_ca vouches for.",
			},
			{
				name: "auth", kind: list("mechanisms out of "+anyOf(auth.Mechanisms), beginMechanisms, readMechanism), example: `["SCRAM-SHA-256", "PLAIN"]`,
				doc: "Offer AUTH. PLAIN is offered under TLS and on Unix sockets only; EXTERNAL to clients with a certificate, and on Unix sockets to the user whom the kernel tells. All but EXTERNAL need auth.passwd_file. Default: no AUTH.",
			},
			{
				name: "require_auth", kind: toggle(func(r *reader) *bool { return &r.listen.RequireAuth }), fallback: "false",
				doc: "Take mail only from clients that have authenticated.",
			},
		},
	},
	{
		name: "tls",
		doc:  "Files for TLS, in PEM. Certificate and key are read again when they change.",
		keys: []key{
			{
				name: "certificate", kind: file(func(r *reader) *string { return &r.config.TLS.Certificate }), example: `"cert.pem"`,
				doc: "The certificate of the server, and behind it those that lead to its authority.",
			},
			{
				name: "key", kind: file(func(r *reader) *string { return &r.config.TLS.Key }), example: `"key.pem"`,
				doc: "Its key. Others than the owner and the group must not be able to read it.",
			},
			{
				name: "client_ca", kind: file(func(r *reader) *string { return &r.config.TLS.ClientCA }), example: `"clients.pem"`,
				doc: "Certificates of the authorities that vouch for clients. Default: clients are not asked for a certificate.",
			},
		},
	},
	{
		name: "auth",
		doc:  "How clients authenticate.",
		keys: []key{
			{
				name: "passwd_file", kind: file(func(r *reader) *string { return &r.config.Auth.PasswdFile }), example: `"users"`,
				doc: "A file of lines name:{SCHEME}secret, as Dovecot's passwd-file. It is read again when it changes. Others than the owner and the group must not be able to read it.",
			},
		},
	},
	{
		name: "limits",
		doc:  "Bounds of the whole server.",
		keys: []key{
			{
				name: "message_size", kind: size(64<<10, 1<<40, func(r *reader) *int64 { return &r.config.Limits.MessageSize }), fallback: `"50MiB"`,
				doc: "The largest message, announced as SIZE.",
			},
			{
				name: "recipients", kind: count(100, 999_999, func(r *reader) *int { return &r.config.Limits.Recipients }), fallback: "1000",
				doc: "Recipients of one message. Not under 100 (RFC 5321 §4.5.3.1.8).",
			},
			{
				name: "connections", kind: count(1, 1_000_000, func(r *reader) *int { return &r.config.Limits.Connections }), fallback: "1000",
				doc: "Connections open at once, over all sockets.",
			},
			{
				name: "connections_per_peer", kind: count(0, 1_000_000, func(r *reader) *int { return &r.config.Limits.ConnectionsPerPeer }), fallback: "0",
				doc: "Connections open at once from one IP address, over all TCP sockets; 0 for no limit. More are told 421.",
			},
			{
				name: "deliveries_per_mailbox", kind: count(1, 1000, func(r *reader) *int { return &r.config.Limits.DeliveriesPerMailbox }), fallback: "16",
				doc: "Deliveries into one mailbox at the same time. More wait for their turn, no longer than transaction_timeout, and hold up no other mailbox.",
			},
			{
				name: "transactions", kind: count(0, 999_999, func(r *reader) *int { return &r.config.Limits.Transactions }), fallback: "0",
				doc: "Messages of one session, announced as LIMITS MAILMAX; 0 for no limit. The session is ended with 421 4.7.0 at the next.",
			},
			{
				name: "folders", kind: count(0, 10_000, func(r *reader) *int { return &r.config.Limits.Folders }), fallback: "100",
				doc: "Folders of one mailbox. Where a domain says detail = \"create\", strangers can make more until it has so many; what has no folder then goes to the inbox.",
			},
			{
				name: "folder_levels", kind: count(1, 30, func(r *reader) *int { return &r.config.Limits.FolderLevels }), fallback: "2",
				doc: "Levels of a folder that a detail makes: alice+lists.go@example.org has two.",
			},
			{
				name: "idle_timeout", kind: duration(time.Second, 24*time.Hour, func(r *reader) *time.Duration { return &r.config.Limits.IdleTimeout }), fallback: `"5m"`,
				doc: "How long a client may be silent between commands. Under 5m is against RFC 5321 §4.5.3.2.7.",
			},
			{
				name: "data_timeout", kind: duration(time.Second, 24*time.Hour, func(r *reader) *time.Duration { return &r.config.Limits.DataTimeout }), fallback: `"5m"`,
				doc: "How long a client may be silent within a message.",
			},
			{
				name: "transfer_timeout", kind: duration(time.Second, 24*time.Hour, func(r *reader) *time.Duration { return &r.config.Limits.TransferTimeout }), fallback: `"1h"`,
				doc: "How long the whole of a message may take to come, however steadily it does.",
			},
			{
				name: "transaction_timeout", kind: duration(time.Second, 10*time.Minute-time.Second, func(r *reader) *time.Duration { return &r.config.Limits.TransactionTimeout }), fallback: `"8m"`,
				doc: "How long delivery may take once a message has been received; recipients not finished by then get 451. Clients wait 10m (RFC 5321 §4.5.3.2.6).",
			},
		},
	},
	{
		name: "store",
		doc:  "Where mailboxes are, and how messages are written.",
		keys: []key{
			{
				name: "path", kind: text("a path with {domain}, {local} or {home}", readStorePath), fallback: `"/srv/mail/{domain}/{local}/Maildir"`,
				doc: "The Maildir of an account. {domain} stands for its domain in A-labels, {local} for its local part in UTF-8, {home} for its home directory.",
			},
			{
				name: "durability", fallback: `"group"`,
				kind: choice(func(r *reader) *Durability { return &r.config.Store.Durability }, option[Durability]{"group", DurableGroup}, option[Durability]{"each", DurableEach}, option[Durability]{"none", DurableNone}),
				doc:  "A message is acknowledged when it is on disk: group shares the syncs of concurrent deliveries, each syncs one after the other. none leaves it to the kernel and loses mail in a power cut.",
			},
			{
				name: "newline", fallback: `"lf"`,
				kind: choice(func(r *reader) *Newline { return &r.config.Store.Newline }, option[Newline]{"lf", LF}, option[Newline]{"crlf", CRLF}),
				doc:  "Line ends on disk: lf as Unix programs expect, or crlf as received.",
			},
			{
				name: "folders", fallback: `"utf-7"`,
				kind: choice(func(r *reader) *FolderEncoding { return &r.config.Store.Folders }, option[FolderEncoding]{"utf-7", FoldersUTF7}, option[FolderEncoding]{"utf-8", FoldersUTF8}),
				doc:  "How the names of folders are written on disk: utf-7 is the modified UTF-7 of Dovecot, utf-8 is for Courier, and for Dovecot with mailbox_list_utf8.",
			},
			{
				name: "create", kind: toggle(func(r *reader) *bool { return &r.config.Store.Create }), fallback: "true",
				doc: "Make a missing Maildir at its first message.",
			},
			{
				name: "single_copy", kind: toggle(func(r *reader) *bool { return &r.config.Store.SingleCopy }), fallback: "false",
				doc: "Store a message for several mailboxes of one owner and file system as one file with hard links. Such a message names no recipient in Delivered-To and Received, since all would read it.",
			},
			{
				name: "user", kind: text("a user", readStoreUser), example: `"vmail"`, restart: true,
				doc: "Whom the server runs as. Root opens sockets and reads keys and passwords, and then becomes this user for good, before it takes mail; no other user but root can start it then. See privileges.md. Default: whoever starts it.",
			},
			{
				name: "group", kind: text("a group", readStoreGroup), example: `"vmail"`, restart: true,
				doc: "The group that the server runs with. Default: that of user.",
			},
			{
				name: "owners", kind: toggle(func(r *reader) *bool { return &r.config.Store.Owners }), fallback: "false", restart: true,
				doc: "Deliver to each account as its own user and group, where it has such. For that the server keeps CAP_SETUID and CAP_SETGID, which root, or systemd with AmbientCapabilities, has to give it. With false it can do nothing but as its own user, and mail for accounts of others is deferred.",
			},
			{
				name: "first_valid_uid", kind: count(1, maxID, func(r *reader) *int { return &r.config.Store.FirstUID }), fallback: "500", restart: true,
				doc: "With owners: the lowest user that a mailbox may belong to. Mail for accounts of others is deferred.",
			},
			{
				name: "first_valid_gid", kind: count(1, maxID, func(r *reader) *int { return &r.config.Store.FirstGID }), fallback: "1", restart: true,
				doc: "With owners: the lowest group that a mailbox may belong to.",
			},
		},
	},
	quotaSection(),
	{
		name: "domain", array: true, begin: beginDomain,
		doc: "A domain to take mail for. At least one is needed.",
		keys: append([]key{
			{
				name: "name", kind: text("a domain", readDomainName), example: `"example.org"`, required: true,
				doc: "The domain. Internationalized names can be in either spelling, and match both.",
			},
			{
				name: "aliases", kind: list("domains", ignoreLength, readDomainAlias), fallback: "[]", example: `["example.net"]`,
				doc: "Other names of the same domain.",
			},
			{
				name: "catch_all", kind: text("an address", readCatchAll), example: `"postmaster@example.org"`,
				doc: "The account that takes what no other does. Default: unknown recipients are refused.",
			},
		}, domainRules()...),
	},
	{
		name: "user", array: true, begin: beginUser,
		doc: "An account.",
		keys: []key{
			{
				name: "address", kind: text("an address", readUserAddress), example: `"postmaster@example.org"`, required: true,
				doc: "Its address, which also names its mailbox.",
			},
			{
				name: "aliases", kind: list("addresses", ignoreLength, readUserAlias), fallback: "[]", example: `["alice@example.org", "用户@example.org"]`,
				doc: "Other addresses of the same account, in any of the domains.",
			},
			{
				name: "quota", kind: size(1, 1<<50, func(r *reader) *int64 { return &r.user.Quota }), example: `"2GiB"`,
				doc: "How much the mailbox may hold, all its folders together. Default: no limit.",
			},
			{
				name: "quota_messages", kind: count(1, 1<<40, func(r *reader) *int64 { return &r.user.QuotaMessages }), example: "100000",
				doc: "How many messages it may hold. Default: no limit.",
			},
			{
				name: "disabled", example: `"defer"`,
				kind: choice(func(r *reader) *string { return &r.user.Disabled }, option[string]{"defer", "defer"}, option[string]{"reject", "reject"}),
				doc:  "Refuse mail for this account: defer for now (450 4.2.1), or reject for good (550 5.2.1). Default: the account is enabled.",
			},
			{
				name: "eai", kind: toggle(func(r *reader) *bool { return &r.user.EAI }), fallback: "true",
				doc: "Whether the mailbox takes internationalized mail. false is for readers that cannot show it: a transaction with SMTPUTF8 is refused with 550 5.6.9 at RCPT.",
			},
			{
				name: "home", kind: text("a path", readHome), example: `"/home/alice"`,
				doc: "Its home directory, for {home} in store.path.",
			},
			{
				name: "owner", kind: text("a user", readUserOwner), example: `"alice"`,
				doc: "The user of this machine whose mailbox it is; needs store.owners. Default: the user who runs the server.",
			},
			{
				name: "uid", kind: count(1, maxID, func(r *reader) *int { return &r.user.UID }), example: "1000",
				doc: "The same by number, together with gid. The machine need not know the user.",
			},
			{
				name: "gid", kind: count(1, maxID, func(r *reader) *int { return &r.user.GID }), example: "1000",
				doc: "The group by number. Default: that of owner.",
			},
			{
				name: "owner_since", kind: moment(func(r *reader) *time.Time { return &r.user.OwnerSince }), example: `"2014-04-03T23:01:00Z"`,
				doc: "Since when the account has its present owner. Where any account says so, RRVS is offered (RFC 7293): mail for an earlier owner is refused with 550 5.7.17. A date alone stands for its end, in UTC.",
			},
		},
	},
	aliasSection(),
	directorySection(),
	ruleSection(),
	{
		name: "control",
		doc:  "The socket on which the running server takes orders: doorstep reload, doorstep upgrade.",
		keys: []key{
			{
				name: "socket", kind: text("a path", readControlSocket), fallback: `"/run/doorstep/control.sock"`, restart: true,
				doc: "Its path. Only root and the user who runs the server may use it. \"\" for none. Where it cannot be made the server runs without.",
			},
		},
	},
	{
		name: "admin",
		doc:  "A listener for those who look after the server: metrics for Prometheus, health, a status page, and what doorstep status and doorstep trace ask. See monitoring.md.",
		keys: []key{
			{
				name: "address", kind: ofAdmin(text("unix:PATH or tcp:HOST:PORT", readListenAddress)), example: `"unix:/run/doorstep/admin.sock"`, restart: true,
				doc: "Where to listen: on a Unix socket or a loopback address, and elsewhere only with token_file. Default: nowhere.",
			},
			{
				name: "mode", kind: ofAdmin(mode(func(r *reader) *fs.FileMode { return &r.listen.Mode })), example: `"0660"`, restart: true,
				doc: "Unix sockets: the mode of the socket file. Default: 0600.",
			},
			{
				name: "owner", kind: ofAdmin(text("a user", readOwner)), example: `"doorstep"`, restart: true,
				doc: "Unix sockets: the owner of the socket file. Default: the user who runs the server.",
			},
			{
				name: "group", kind: ofAdmin(text("a group", readGroup)), example: `"adm"`, restart: true,
				doc: "Unix sockets: the group of the socket file. Default: the group that runs the server.",
			},
			{
				name: "token_file", kind: text("a path", readTokenFile), example: `"admin-token"`, restart: true,
				doc: "A file with the word that clients must show, as a bearer token or as the password of any user; 16 characters at least. Others than the owner and the group must not be able to read it. Only /healthz is told to all. Default: the socket alone decides; \"\" says that this is meant, where a loopback address lets every user of the machine ask.",
			},
		},
	},
	{
		name: "sandbox",
		doc:  "What the server gives up when it has started (Landlock): it then writes only below the directory that the store is in, and where its sockets are, and reads only there, in /etc, and what the configuration names. Without it on kernels that have no Landlock. See security.md.",
		keys: []key{
			{
				name: "enabled", kind: toggle(func(r *reader) *bool { return &r.config.Sandbox.Enabled }), fallback: "true", restart: true,
				doc: "Whether, and whether core dumps and debuggers are kept out. There is no sandbox either where nobody can tell beforehand where mailboxes are, with {home} in store.path or with a [[directory]], unless paths says so.",
			},
			{
				name: "paths", kind: list("directories", ignoreLength, readSandboxPath), example: `["/home"]`, restart: true,
				doc: "More directories to write to. Default: none.",
			},
		},
	},
	{
		name: "log",
		doc:  "What is logged, to standard error.",
		keys: []key{
			{
				name: "level", fallback: `"info"`,
				kind: choice(func(r *reader) *slog.Level { return &r.config.Log.Level },
					option[slog.Level]{"debug", slog.LevelDebug}, option[slog.Level]{"info", slog.LevelInfo},
					option[slog.Level]{"warn", slog.LevelWarn}, option[slog.Level]{"error", slog.LevelError}),
				doc: "The least serious events that are logged.",
			},
			{
				name: "format", fallback: `"text"`, restart: true,
				kind: choice(func(r *reader) *LogFormat { return &r.config.Log.Format }, option[LogFormat]{"text", LogText}, option[LogFormat]{"json", LogJSON}),
				doc:  "Lines of key=value, or one JSON object a line.",
			},
		},
	},
}
