package config

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A Submission is the [submission] table: the MTA that mail of the server's own is given to, and where that waits.
type Submission struct {
	// Network and Address are where the MTA listens: "unix" and an absolute path, or "tcp" and host:port. Network is ""
	// where there is no MTA.
	Network, Address string
	TLS              SubmissionTLS
	// CA is a file of authorities, absolute; "" for the system's.
	CA string
	// User and PasswordFile are who to authenticate as; "" for no authentication.
	User, PasswordFile string
	// Timeout bounds the wait for each reply but the last, which may take four times as long.
	Timeout time.Duration
	// Connections bounds how many messages are handed over at once.
	Connections int

	// Outbox is the directory of what waits, absolute. Messages and Octets bound it.
	Outbox   string
	Messages int
	Octets   int64
	// Expire is the age above which a message is given up.
	Expire time.Duration
	// Withdraw is how long the oldest may wait before DSN is no longer offered.
	Withdraw time.Duration

	Reports Reports // the [reports] table
}

// A SubmissionTLS says when TLS begins with the MTA.
type SubmissionTLS string

// What TLS there is with the MTA.
const (
	SubmissionClear    SubmissionTLS = "off"
	SubmissionStartTLS SubmissionTLS = "starttls"
	SubmissionImplicit SubmissionTLS = "implicit"
)

// IsOn reports whether there is an MTA to give mail to.
func (s Submission) IsOn() bool { return s.Network != "" }

// Target is where the MTA listens, as unix:PATH or tcp:HOST:PORT.
func (s Submission) Target() string { return s.Network + ":" + s.Address }

var submissionSection = table.Section[Submission]{
	Name: "submission",
	Doc: "The MTA that takes mail of the server's own, which are reports of success (DSN), and the directory in which " +
		"that waits for it. Without a server there is no such mail, and DSN is not offered.",
	Keys: []table.Key[Submission]{
		{Name: "server", Example: `"tcp:127.0.0.1:25"`,
			Kind: table.Text("unix:PATH or tcp:HOST:PORT", setSubmissionServer),
			Doc: "Where the MTA listens: on a Unix socket, such as unix:/var/spool/postfix/public/doorstep, or on TCP. It " +
				"speaks ESMTP, and must take mail for all destinations from this machine. Default: there is none."},
		{Name: "tls", Default: `"off"`,
			Kind: table.Word(func(s *Submission) *SubmissionTLS { return &s.TLS },
				SubmissionClear, SubmissionStartTLS, SubmissionImplicit),
			Doc: "starttls demands STARTTLS, implicit begins with TLS; the certificate must be valid for the host. off is " +
				"refused for TCP beyond loopback."},
		{Name: "ca", Kind: table.Path(func(s *Submission) *string { return &s.CA }), Example: `"ca.pem"`,
			Doc: "TLS: certificates of the authorities that issue that of the MTA. Default: those that the system trusts."},
		{Name: "user", Example: `"doorstep@example.org"`,
			Kind: table.Parsed("a user", parseAnything, func(s *Submission) *string { return &s.User }),
			Doc: "Who to authenticate as, by SCRAM-SHA-256, or PLAIN under TLS and on Unix sockets. Default: no " +
				"authentication."},
		{Name: "password_file", Kind: table.Path(func(s *Submission) *string { return &s.PasswordFile }),
			Example: `"submission.secret"`,
			Doc: "A file with the password of user, in its first line. It is read at each connection. It must be readable " +
				"only by its owner and group."},
		{Name: "timeout", Default: `"30s"`,
			Kind: table.Duration(time.Second, 10*time.Minute, func(s *Submission) *time.Duration { return &s.Timeout }),
			Doc:  "How long each reply of the MTA may take, and the last one, when it has the message, four times as long."},
		{Name: "connections", Kind: table.Count(1, 100, func(s *Submission) *int { return &s.Connections }), Default: "4",
			Doc: "How many messages are handed over at once."},
		{Name: "outbox", Default: `"/var/lib/doorstep/outbox"`, Restart: true,
			Kind: table.Path(func(s *Submission) *string { return &s.Outbox }),
			Doc: "The directory of what waits for the MTA, which is made where it is missing; what contains it must be " +
				"there. The user who runs the server must be able to write to it. It sends what has its hostname in its name."},
		{Name: "outbox_messages", Kind: table.Count(10, 1_000_000, func(s *Submission) *int { return &s.Messages }),
			Default: "10000", Restart: true,
			Doc: "How many reports may wait, one for each recipient. DSN is no longer offered from four fifths of it on, and " +
				"offered again below two fifths."},
		{Name: "outbox_size", Kind: table.Size(1<<20, 1<<40, func(s *Submission) *int64 { return &s.Octets }),
			Default: `"128MiB"`, Restart: true,
			Doc: "How much may wait, likewise."},
		{Name: "expire", Default: `"120h"`,
			Kind: table.Duration(time.Minute, 30*24*time.Hour, func(s *Submission) *time.Duration { return &s.Expire }),
			Doc:  "The age at which a report that the MTA does not take is given up."},
		{Name: "withdraw_after", Default: `"10m"`,
			Kind: table.Duration(time.Second, 5*24*time.Hour, func(s *Submission) *time.Duration { return &s.Withdraw }),
			Doc: "How long the oldest report may wait while the MTA does not take it, before DSN is no longer offered. The " +
				"clients then report by themselves."},
	},
}

func setSubmissionServer(s *Submission, v *table.Value, text string) error {
	network, address, err := socketAddress(v, text)
	if err != nil {
		return err
	}
	if _, port, err := net.SplitHostPort(address); network == "systemd" || network == "tcp" && err == nil && port == "0" {
		return hint.New(hint.Quote(text)+" is nowhere to connect to", `write "tcp:127.0.0.1:25", or unix:PATH`)
	}
	s.Network, s.Address = network, address
	return nil
}

// check checks what the keys of [submission] say of one another.
func (s Submission) check(t table.Table, store Store) {
	if !s.IsOn() {
		s.checkIdle(t)
		return
	}
	v := t.Value("server")
	host, _, _ := net.SplitHostPort(s.Address)
	if s.Network == "tcp" && s.TLS == SubmissionClear && !isThisMachine(host) && !t.Suspect("tls") {
		v.Add("mail, and maybe the password, would cross the network unprotected", `write tls = "starttls"`)
	}
	if tls := t.Value("tls"); tls != nil && s.Network == "unix" && s.TLS != SubmissionClear {
		tls.Add("there is no TLS on a Unix socket: the kernel keeps others from listening", "leave it out")
	}
	if ca := t.Value("ca"); ca != nil && s.TLS == SubmissionClear && !t.Suspect("tls") {
		ca.AddKey("is for TLS only", `write tls = "starttls", or leave it out`)
	}
	if user := t.Value("user"); user != nil && !t.Sets("password_file") && !t.Suspect("password_file") {
		user.AddKey("needs a password", `write password_file = "submission.secret"`)
	}
	if file := t.Value("password_file"); file != nil && !t.Sets("user") && !t.Suspect("user") {
		file.AddKey("is the password of nothing", `write user = "doorstep@example.org"`)
	}
	if store.Durability == mailbox.None {
		v.Warn(`with store.durability = "none" a power cut can lose a message that was reported as delivered`, "")
	}
}

// checkIdle finds what is said of no MTA.
func (s Submission) checkIdle(t table.Table) {
	for _, name := range []string{"ca", "user", "password_file"} {
		if v := t.Value(name); v != nil && !t.Sets("server") && !t.Suspect("server") {
			v.AddKey("is for server, which is missing", `write server = "tcp:127.0.0.1:25"`)
		}
	}
}

// checkOffers sets the offer of DSN of each listener to its default, and refuses one that cannot be kept.
func (s Submission) checkOffers(in *table.Input, listeners []Listen) {
	for i := range listeners {
		l, v := &listeners[i], in.Element("listen", i).Value("dsn")
		switch {
		case v == nil:
			l.DSN = s.IsOn()
		case l.DSN && !s.IsOn() && !in.Suspect("submission") && !in.Table("submission").Sets("server"):
			v.Add("needs an MTA to give reports to", `write [submission] and server = "tcp:127.0.0.1:25"`)
		}
	}
}

// checkFiles checks the directory and the files of [submission], which w will use. report takes what is wrong with the
// value of a key.
func (s Submission) checkFiles(w runner, report func(key string, err error)) {
	if !s.IsOn() {
		return
	}
	report("outbox", s.checkOutbox(w))
	if s.PasswordFile != "" {
		report("password_file", w.check(func() error { return checkSecret(s.PasswordFile) }))
	}
	if s.CA != "" {
		report("ca", w.check(func() error {
			_, err := keypair.Authorities(s.CA)
			return err
		}))
	}
}

// checkOutbox checks that the outbox can be made and used, and that it outlasts a restart of the machine. It is no
// mistake if it cannot: the server runs without, and does not offer DSN.
func (s Submission) checkOutbox(w runner) error {
	dir := s.Outbox
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = filepath.Dir(dir)
	}
	if err := w.checkDirectory(dir, unix.W_OK|unix.X_OK, "written to"); err != nil {
		var e hint.Error
		errors.As(err, &e)
		return hint.Warning(err.Error()+": DSN is not offered", e.Hint)
	}
	var on unix.Statfs_t
	if err := unix.Statfs(dir, &on); err != nil {
		return err
	}
	if on.Type == unix.TMPFS_MAGIC || on.Type == unix.RAMFS_MAGIC {
		return hint.Warning(hint.Quote(s.Outbox)+" is in memory: reports that wait are lost when the machine stops",
			"choose a directory on a disk")
	}
	return nil
}
