package lmtp

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"net"
	"net/netip"
	"strconv"
)

// A Protocol is the language of a listener.
type Protocol int

const (
	// LMTP is RFC 2033: LHLO, and a reply for each recipient. It is the zero value.
	LMTP Protocol = iota
	// ESMTP is RFC 5321: EHLO or HELO, and one reply for a message.
	ESMTP
)

// String returns the protocol's name as it stands in the greeting.
func (p Protocol) String() string {
	if p == ESMTP {
		return "ESMTP"
	}
	return "LMTP"
}

// A Session is what the server knows of a client, for the Handler. It does not change while a
// transaction is open.
type Session struct {
	// ID names the session in replies and logs: letters and digits, random.
	ID string
	// Protocol is that of the listener.
	Protocol Protocol
	// Extended is false after HELO: a client that knows no extensions (RFC 5321 §4.1.1.1).
	Extended bool
	// DSN is set where the client was offered delivery status notifications, at its last hello (RFC 3461).
	DSN bool
	// Hello is the argument of LHLO, EHLO or HELO: printable ASCII, not verified.
	Hello string
	// Hostname is the server's own name, as in its greeting.
	Hostname string
	// Remote is the peer's address, or the one in a PROXY header; its Network is "unix" for a Unix
	// socket.
	Remote net.Addr
	// Trusted is set where the peer may speak for others.
	Trusted bool
	// Origin is the client for which the peer speaks (XCLIENT); nil: itself.
	Origin *Origin
	// Unix is set where the connection itself is a Unix socket, whatever a PROXY header says.
	Unix bool
	// Peer is the user at the other end of a Unix socket, as the kernel reports; "" where there
	// is none, or Peers.User is not set.
	Peer string
	// TLS is the state of TLS, nil without. VerifiedChains is set only for a client
	// certificate that is accepted here.
	TLS *tls.ConnectionState
	// Certificate is what this server presented of itself, in DER; nil without TLS.
	Certificate []byte
	// Identity is the client's, which it has proved by AUTH; "" before.
	Identity string

	transactions int
}

// With returns the protocol as the "with" clause of a trace field names it (RFC 5321 §4.4,
// RFC 3848, RFC 6531 §4.3); utf8 says that the transaction asked for SMTPUTF8. There are
// no names for HELO with anything more.
func (s *Session) With(utf8 bool) string {
	if !s.Extended {
		return "SMTP"
	}
	with := s.Protocol.String()
	switch {
	case utf8 && s.Protocol == LMTP:
		with = "UTF8LMTP"
	case utf8:
		with = "UTF8SMTP"
	}
	if s.TLS != nil {
		with += "S"
	}
	if s.Identity != "" {
		with += "A"
	}
	return with
}

// PeerName is the peer for logs: its IP address, or "unix".
func (s *Session) PeerName() string {
	switch a := s.Remote.(type) {
	case nil:
		return ""
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap().String()
	default:
		if a.Network() == "unix" { // a client of a Unix socket usually has no name
			return "unix"
		}
		return a.String()
	}
}

// nextID names the next transaction of the session, and returns the text of its success, of which
// the name is a part: one string for both.
func (s *Session) nextID() (id, success string) {
	s.transactions++
	text := append(append(make([]byte, 0, 48), s.ID...), '.')
	text = strconv.AppendInt(text, int64(s.transactions), 10)
	n := len(text)
	success = string(append(text, " delivered"...))
	return success[:n], success
}

// LocalSession is a session without a connection, for a program that hands mail to a Handler itself.
func LocalSession(hostname string) *Session {
	return &Session{ID: newSessionID(), Extended: true, Hello: "localhost", Hostname: hostname}
}

// NextID is the ID for the envelope of the session's next transaction.
func (s *Session) NextID() string {
	id, _ := s.nextID()
	return id
}

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newSessionID is random, so that ids of several processes can stand in one log.
func newSessionID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program where there is no randomness
	return idEncoding.EncodeToString(b[:])
}

// An Origin is what a trusted peer says of the client that it speaks for, by XCLIENT or
// XFORWARD. It is for logs and the comment in a trace field: whatever it says, it grants
// nothing. "" and the zero values mean that the peer does not know.
type Origin struct {
	Name     string     // host name
	Addr     netip.Addr // address
	Port     string     // its port, in decimal
	Protocol string     // "SMTP", "ESMTP", …
	Hello    string     // what the client said in its HELO, EHLO or LHLO
	Login    string     // who it logged in as
	Ident    string     // the message's name in the peer's own log
	Source   string     // "LOCAL" or "REMOTE"
	Session  string     // the session's name in the peer's own log
}
