package lmtp

import (
	"crypto/tls"
	"net"
	"time"
)

// Limits bound what clients may send.
type Limits struct {
	// MessageSize is the most octets of one message (SIZE, RFC 1870). [50 MiB]
	MessageSize int64
	// Recipients is the most recipients of one transaction, those that were refused
	// included, as LIMITS says; at least 100 (RFC 5321 §4.5.3.1.8). [1000]
	Recipients int
	// Connections is the most sessions at once; further ones get 421 4.3.2. [1000]
	Connections int
	// Transactions is the most MAIL commands of one session, announced as MAILMAX of LIMITS (RFC 9422). [no limit]
	Transactions int
	// MinDataRate is how many octets of content a second a client must send while Scarce reports true. A
	// session that lags 30 seconds is ended with 421 4.4.2. [no such rate]
	MinDataRate int
	// Scarce reports whether few connections are left; sessions call it at the same time. [MinDataRate does not apply]
	Scarce func() bool
}

func (l *Limits) setDefaults() {
	l.MessageSize = orDefault(l.MessageSize, 50<<20)
	l.Recipients = max(orDefault(l.Recipients, 1000), 100)
	l.Connections = orDefault(l.Connections, 1000)
}

// Timeouts bound how long a session waits.
type Timeouts struct {
	// Idle is how long a client may take for a command line. [5m]
	Idle time.Duration
	// Data is how long it may take for a block of content. [5m]
	Data time.Duration
	// Transfer is how long it may take for the whole content of a message, however steadily that comes. [1h]
	Transfer time.Duration
	// Transaction bounds the work after the final dot; recipients that have no outcome by then get 451. It must stay
	// below the client's patience, which RFC 5321 §4.5.3.2.6 sets to 10 minutes. [8m]
	Transaction time.Duration
}

func (t *Timeouts) setDefaults() {
	t.Idle = orDefault(t.Idle, 5*time.Minute)
	t.Data = orDefault(t.Data, 5*time.Minute)
	t.Transfer = orDefault(t.Transfer, time.Hour)
	t.Transaction = orDefault(t.Transaction, 8*time.Minute)
}

// Syntax is how strictly content and addresses are read.
type Syntax struct {
	// NormalizeBareLF makes CRLF of a bare LF in content, where the default is to refuse the
	// message with 554 5.6.0. In neither case can it end the content.
	NormalizeBareLF bool
	// RefuseBareCR refuses content with a CR that no LF follows, where the default is to
	// keep it as an octet like another.
	RefuseBareCR bool
	// Lenient8Bit reports of which sessions addresses in UTF-8 are taken without SMTPUTF8, where the rule is to refuse
	// them (RFC 6531 §3.5). Postfix hands over such addresses of senders and aliases. Envelope.SMTPUTF8 stays false,
	// though a local part of the transaction may have any octets from 0x80, and a domain U-labels. [of none]
	Lenient8Bit func(*Session) bool
}

// Extensions are those that are offered only if the Handler does its part.
type Extensions struct {
	// BinaryMIME offers BINARYMIME (RFC 3030). Set it only if the Handler keeps every octet:
	// content then has bare CR and LF, and need not end in a line end.
	BinaryMIME bool
	// MTPriority offers MT-PRIORITY (RFC 6710).
	MTPriority bool
	// RRVS offers RRVS (RFC 7293). Set it only if the Handler enforces it.
	RRVS bool
	// DSN reports, at each hello, whether to offer DSN (RFC 3461); sessions call it at the same time. A client that was
	// offered it leaves the reports of success (NotifySuccess) to the Handler, for as long as the session lasts. [not
	// offered]
	DSN func() bool
}

// TLS is how a server uses TLS.
type TLS struct {
	// Config has certificates, or GetCertificate, and ClientCAs to verify clients'
	// certificates with. With it STARTTLS is offered, but not on Unix sockets. At least TLS 1.2
	// is spoken, whatever it says. [no TLS]
	Config *tls.Config
	// Implicit begins with the handshake, before the greeting (RFC 8314 §3).
	Implicit bool
	// Required refuses mail, and nearly all else, before STARTTLS (RFC 3207 §4).
	Required bool
	// RequireCertificate refuses everything under TLS to clients without a certificate that
	// Config.ClientCAs verify.
	RequireCertificate bool
}

// Auth is how a server authenticates clients (RFC 4954).
type Auth struct {
	// Authenticator has the mechanisms. [AUTH is not offered]
	Authenticator Authenticator
	// Required refuses mail before AUTH (RFC 4954 §6).
	Required bool
	// Delay is how long the answer to wrong credentials takes. [1s]
	Delay time.Duration
}

// Peers is what a server asks about a new connection, before its session begins.
type Peers struct {
	// Trusted reports whether the peer may speak for others by XCLIENT and XFORWARD, ask for
	// priority, and send a PROXY header. [no peer is trusted, and there are no such commands]
	Trusted func(net.Conn) bool
	// ProxyProtocol demands a PROXY header, version 1 or 2, from each connection before
	// anything else, and only from Trusted ones. The address in it is then the remote address,
	// also for Admit and for a second call of Trusted, which decides on the session.
	ProxyProtocol bool
	// User names the user at the other end of a Unix socket, as the kernel knows it; "" if it does not. [no user]
	User func(net.Conn) string
	// Admit decides whether a connection is served. An *Error is sent in place of
	// the greeting; release, if not nil, is called when an admitted connection has ended. [all are]
	Admit func(net.Conn) (release func(), err error)
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
