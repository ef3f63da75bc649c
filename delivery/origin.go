package delivery

import (
	"log/slog"
	"net"
	"net/netip"
	"strconv"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// What a trusted peer says of the client it speaks for, shown and nothing else.

// peerInfo is the peer's address as a comment of a trace field, or that of the client which
// the peer speaks for. On a Unix socket there is none.
//
//	TCP-info = address-literal / ( Domain FWS address-literal )
func peerInfo(s *lmtp.Session) string {
	if o := s.Origin; o != nil && o.Addr.IsValid() {
		return " (" + clientName(o) + addressLiteral(o.Addr) + ")"
	}
	tcp, ok := s.Remote.(*net.TCPAddr)
	if !ok {
		return ""
	}
	return " (" + addressLiteral(tcp.AddrPort().Addr()) + ")"
}

// forwardInfo is where the peer has the message from, as a comment on a line of its own.
func forwardInfo(o *lmtp.Origin) string {
	if o == nil || !o.Addr.IsValid() {
		return ""
	}
	return "\r\n\t(client " + clientName(o) + addressLiteral(o.Addr) + ")"
}

// clientName is the name of a client, made fit for a comment, and a space.
func clientName(o *lmtp.Origin) string {
	if o.Name == "" {
		return ""
	}
	return helloAtom(o.Name) + " "
}

// addressLiteral renders an address (RFC 5321 §4.1.3).
func addressLiteral(ip netip.Addr) string {
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}

// priorityClause is the clause of RFC 6710 §5 in the trace field of a message that came with
// a priority.
func priorityClause(env *lmtp.Envelope) string {
	if !env.HasPriority {
		return ""
	}
	return " PRIORITY " + strconv.Itoa(env.Priority)
}

// originAttrs are for the log: what XCLIENT and XFORWARD said, where they said something, and
// what MAIL said of how the message is to be treated.
func originAttrs(s *lmtp.Session, env *lmtp.Envelope) []slog.Attr {
	var attrs []slog.Attr
	for _, o := range []*lmtp.Origin{s.Origin, env.Origin} {
		if o == nil {
			continue
		}
		if o.Addr.IsValid() {
			attrs = append(attrs, slog.String("client", o.Addr.String()))
		}
		for _, a := range []struct{ key, value string }{
			{"client_name", o.Name}, {"client_hello", o.Hello}, {"client_login", o.Login},
			{"client_id", o.Ident}, {"client_session", o.Session},
		} {
			if a.value != "" {
				attrs = append(attrs, slog.String(a.key, a.value))
			}
		}
	}
	if env.HasPriority {
		attrs = append(attrs, slog.Int("priority", env.Priority))
	}
	if env.RequireTLS {
		attrs = append(attrs, slog.Bool("requiretls", true))
	}
	return attrs
}
