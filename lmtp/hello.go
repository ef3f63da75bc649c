package lmtp

import (
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// An extension is a row of the hello reply.
type extension struct {
	keyword string
	args    func(offer) string // nil: none
	offered func(offer) bool   // nil: always
}

// extensions is what the hello reply offers, in the order it is listed (RFC 5321 §4.1.1.1).
// Each stands on its own line in upper case, as clients match them.
var extensions = [...]extension{
	{keyword: "PIPELINING"},          // RFC 2920; required by RFC 2033 §5
	{keyword: "ENHANCEDSTATUSCODES"}, // RFC 2034; required by RFC 2033 §5
	{keyword: "8BITMIME"},            // RFC 6152; required by SMTPUTF8
	{keyword: "SMTPUTF8"},            // RFC 6531
	{keyword: "SIZE", args: offer.sizeArgument},
	{keyword: "DSN", offered: offer.offersDSN}, // RFC 3461
	{keyword: "CHUNKING"},                      // RFC 3030
	{keyword: "BINARYMIME", offered: offer.offersBinary},
	{keyword: "STARTTLS", offered: offer.offersSTARTTLS},                   // RFC 3207
	{keyword: "AUTH", args: offer.authArgument, offered: offer.offersAuth}, // RFC 4954
	{keyword: "REQUIRETLS", offered: offer.offersRequireTLS},               // RFC 8689
	{keyword: "LIMITS", args: offer.limitsArgument},                        // RFC 9422
	{keyword: "RRVS", offered: offer.offersRRVS},                           // RFC 7293
	{keyword: "MT-PRIORITY", offered: offer.offersPriority},                // RFC 6710
	{keyword: "PRDR", offered: offer.offersPRDR},                           // draft-hall-prdr-00
	{keyword: "IGNOREQUOTA", offered: offer.offersIgnoreQuota},             // Cyrus
	{keyword: "XFORWARD", args: offer.xforwardArgument, offered: offer.trusted},
	{keyword: "XCLIENT", args: offer.xclientArgument, offered: offer.trusted},
	{keyword: "HELP"}, // RFC 5321 §4.1.1.1: a verb that is not mandatory is listed
}

// hello is the handler of LHLO, EHLO or HELO: the hello of a protocol, for a client that knows extensions or for one
// that does not (RFC 2033 §4.1, RFC 5321 §4.1.1.1).
func hello(p Protocol, extended bool) func(*conn, string) Reply {
	return func(c *conn, args string) Reply {
		if c.session.Protocol != p {
			return wrongHello(c.session.Protocol)
		}
		return c.hello(args, extended)
	}
}

// greeting opens a session (RFC 5321 §4.3.1).
func (s *Session) greeting() Reply {
	return Reply{Code: 220, Text: s.Hostname + " " + s.Protocol.String() + " Doorstep ready"}
}

// wrongHello answers the hello of another protocol than the listener's, with no enhanced code, as every reply to a
// hello (RFC 2034 §4, RFC 2033 §4.1).
func wrongHello(spoken Protocol) Reply {
	if spoken == ESMTP {
		return Reply{Code: 500, Text: "this is ESMTP, say EHLO"}
	}
	return Reply{Code: 500, Text: "this is LMTP, say LHLO"}
}

// hello begins anew: it drops an open transaction, unless the hello itself is refused
// (RFC 5321 §4.1.4).
func (c *conn) hello(args string, extended bool) Reply {
	name, _, _ := strings.Cut(args, " ") // text after the name is tolerated, RFC 5321 §4.1.1.1
	if !helloName(name) {
		return Reply{Code: 501, Text: "say who you are: a domain or an address literal"}
	}
	c.count.idleCommands++ // each costs a reply of many lines
	c.abort(nil)
	c.state = stateReady
	// A Session does not change under a Handler that keeps it: a new hello is a new one.
	session := *c.session
	session.Hello = name
	session.Extended = extended
	session.DSN = extended && c.server.offersDSN()
	c.session = &session
	if !extended {
		return Reply{Code: 250, Text: c.session.Hostname}
	}
	return Reply{Code: 250, Text: c.offer().helloText()}
}

// HelloReply returns the lines of the answer to LHLO or EHLO in a session, CRLF included: what it is offered. It does
// not wait for a client that would ask.
func (s *Server) HelloReply(session *Session) string {
	s.init()
	var lines strings.Builder
	w := wire.NewReplyWriter(&lines)
	said := *session
	said.DSN = s.offersDSN()
	w.Write(250, "", offer{s, &said}.helloText())
	_ = w.Flush() // to memory
	return lines.String()
}

// helloText is the text of the hello reply.
func (o offer) helloText() string {
	var text strings.Builder
	text.WriteString(o.server.Hostname)
	for _, e := range extensions {
		if e.offered != nil && !e.offered(o) {
			continue
		}
		text.WriteString("\n" + e.keyword)
		if e.args != nil {
			text.WriteString(" " + e.args(o))
		}
	}
	return text.String()
}

// helloName takes any short word of printable ASCII: mail is never refused for a name that
// does not match the peer (RFC 5321 §4.1.4), and U-labels do not belong here (RFC 6531 §3.7.1).
func helloName(name string) bool {
	return name != "" && len(name) <= 255 && wire.Plain(name)
}
