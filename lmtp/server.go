package lmtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("lmtp: server closed")

// A Server speaks LMTP or ESMTP to clients and hands their mail to Handler. Set the fields
// before the first call of Serve and leave them alone afterwards; zero values are useful.
type Server struct {
	// Handler takes the mail. Required.
	Handler Handler
	// Protocol is LMTP or ESMTP. [LMTP]
	Protocol Protocol
	// Hostname is the name in the greeting and in trace fields: a domain, whose U-labels become A-labels. Serve fails
	// if it is none. [the machine's name; localhost if that is no domain]
	Hostname string
	// MaxMessageSize is the most octets of one message (SIZE, RFC 1870). [50 MiB]
	MaxMessageSize int64
	// MaxRecipients is the most recipients of one transaction, those that were refused
	// included, as LIMITS says; at least 100 (RFC 5321 §4.5.3.1.8). [1000]
	MaxRecipients int
	// MaxConnections is the most sessions at once; more get 421 4.3.2. [1000]
	MaxConnections int
	// IdleTimeout is how long a client may take for a command line. [5m]
	IdleTimeout time.Duration
	// DataTimeout is how long it may take for a block of content. [5m]
	DataTimeout time.Duration
	// TransactionTimeout bounds the work after the final dot; recipients that have no
	// outcome by then get 451. It must stay below the client's patience, which
	// RFC 5321 §4.5.3.2.6 sets to 10 minutes. [8m]
	TransactionTimeout time.Duration
	// NormalizeBareLF makes CRLF of a bare LF in content, where the default is to refuse the
	// message with 554 5.6.0. In neither case can it end the content.
	NormalizeBareLF bool
	// RefuseBareCR refuses content with a CR that no LF follows, where the default is to
	// keep it as an octet like another.
	RefuseBareCR bool
	// Lenient8Bit, if not nil, says of which sessions addresses in UTF-8 are taken without SMTPUTF8, where the rule is
	// to refuse them (RFC 6531 §3.5). Postfix hands over such ones of senders and aliases. The transaction stays what
	// the client said it was: Envelope.SMTPUTF8 is false, though a local part may have any octets from 0x80, and a
	// domain U-labels.
	Lenient8Bit func(*Session) bool
	// BinaryMIME offers BINARYMIME (RFC 3030). Set it only where the Handler keeps every octet:
	// content then has bare CR and LF, and need not end in a line end.
	BinaryMIME bool
	// TransferTimeout bounds the time that the whole content of a message may take, however
	// steadily it comes. [1h]
	TransferTimeout time.Duration
	// MinDataRate is how many octets of content a second a client must send while Scarce reports true. A
	// session that falls 30 seconds behind is ended with 421 4.4.2. [no such rate]
	MinDataRate int
	// Scarce reports whether few connections are left; sessions call it at the same time. Without it there is no
	// MinDataRate.
	Scarce func() bool
	// MaxTransactions is the most MAIL commands of one session, announced as MAILMAX of
	// LIMITS. [no limit]
	MaxTransactions int
	// Trusted, if not nil, says which peers may speak for others by XCLIENT and XFORWARD, and
	// ask for priority. It is asked once about each connection. nil trusts nobody, and there
	// are no such commands.
	Trusted func(net.Conn) bool
	// ProxyProtocol demands a PROXY header, version 1 or 2, from each connection before
	// anything else, and only from Trusted ones. What it says is then the remote address,
	// also for Admit and for what the session itself is trusted with.
	ProxyProtocol bool
	// MTPriority offers MT-PRIORITY (RFC 6710).
	MTPriority bool
	// RRVS offers RRVS (RFC 7293). Set it only where the Handler enforces it.
	RRVS bool
	// TLS is what TLS uses: certificates, or GetCertificate, and ClientCAs to verify clients'
	// certificates with. With it STARTTLS is offered, but not on Unix sockets. At least TLS 1.2
	// is spoken, whatever it says. [none]
	TLS *tls.Config
	// ImplicitTLS begins with the handshake, before the greeting (RFC 8314 §3).
	ImplicitTLS bool
	// RequireTLS refuses mail, and nearly all else, before STARTTLS (RFC 3207 §4).
	RequireTLS bool
	// RequireCertificate refuses everything under TLS to clients without a certificate that
	// TLS.ClientCAs verify.
	RequireCertificate bool
	// Auth offers AUTH. [none]
	Auth Authenticator
	// RequireAuth refuses mail before AUTH (RFC 4954 §6).
	RequireAuth bool
	// AuthDelay is how long the answer to wrong credentials takes. [1s]
	AuthDelay time.Duration
	// Peer, if not nil, names the user at the other end of a connection, as the kernel reports of
	// Unix sockets; "" where it does not.
	Peer func(net.Conn) string
	// Admit, if not nil, is asked about each new connection. An *Error is sent in place of
	// the greeting; release, if not nil, is called when an admitted connection has ended.
	Admit func(net.Conn) (release func(), err error)
	// Hooks are called with what sessions do. [nobody is]
	Hooks Hooks
	// Log gets what sessions have to say. [discarded]
	Log *slog.Logger

	once    sync.Once
	broken  error // what init found wrong with the fields
	running registry
}

// init fills in the defaults.
func (s *Server) init() {
	s.once.Do(func() {
		s.Hostname, s.broken = wireHostname(s.Hostname)
		s.MaxMessageSize = orDefault(s.MaxMessageSize, 50<<20)
		s.MaxRecipients = max(orDefault(s.MaxRecipients, 1000), 100)
		s.MaxConnections = orDefault(s.MaxConnections, 1000)
		s.IdleTimeout = orDefault(s.IdleTimeout, 5*time.Minute)
		s.DataTimeout = orDefault(s.DataTimeout, 5*time.Minute)
		s.TransactionTimeout = orDefault(s.TransactionTimeout, 8*time.Minute)
		s.TransferTimeout = orDefault(s.TransferTimeout, time.Hour)
		s.AuthDelay = orDefault(s.AuthDelay, time.Second)
		if s.Log == nil {
			s.Log = slog.New(slog.DiscardHandler)
		}
		s.running.init()
	})
}

// wireHostname returns the name that clients see (RFC 6531 §3.7.1): what is configured, or else the machine's.
func wireHostname(configured string) (string, error) {
	if configured != "" {
		name, err := address.WireDomain(configured)
		if err != nil {
			return "localhost", fmt.Errorf("lmtp: Hostname %q: %w", configured, err)
		}
		return name, nil
	}
	machine, err := os.Hostname()
	if err == nil {
		machine, err = address.WireDomain(machine)
	}
	if err != nil {
		return "localhost", nil // a machine may have any name, and is no mistake of the caller's
	}
	return machine, nil
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
