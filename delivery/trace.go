package delivery

import (
	"crypto/tls"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// traceFields are the header fields before one copy, with CRLF line ends (RFC 5321 §4.4):
// Return-Path with the reverse-path, Delivered-To with the address that led to the mailbox
// (RFC 9228), Original-Recipient with the one that the sender named, if it is known, and
// Received. They name that one recipient and no other, which would tell of blind copies
// (RFC 5321 §7.2). For the zero address there is neither a Delivered-To nor a "for" clause.
func (t *transaction) traceFields(to address.Address, original address.Original, now time.Time) []byte {
	s, env := t.session, t.envelope
	b := make([]byte, 0, 512)
	add := func(parts ...string) {
		for _, part := range parts {
			b = append(b, part...)
		}
	}
	add("Return-Path: ", env.From.Path(), "\r\n")
	named := to != (address.Address{})
	if named {
		add("Delivered-To: ", to.String(), "\r\n")
	}
	if text := original.Header(env.SMTPUTF8); !original.IsZero() && len(text) < maxForPath {
		add("Original-Recipient: ", text, "\r\n") // RFC 8098 §2.3
		if t.agent.OriginalTo && isShownIn(original, env) {
			add("X-Original-To: ", original.Address, "\r\n") // as Postfix's own delivery agents have it
		}
	}

	add("Received: from ", helloAtom(s.Hello), peerInfo(s), forwardInfo(env.Origin), "\r\n")
	add("\tby ", s.Hostname, " with ", s.With(env.SMTPUTF8), " id ", env.ID)
	// A-labels may be three times as long in U-labels, and a line has at most 998 octets (RFC 5322 §2.1.1).
	if path, ok := to.Header(env.SMTPUTF8); ok && named && len(path) < maxForPath {
		add("\r\n\tfor <", path, ">")
	}
	if s.TLS != nil { // tls-cipher, a clause that RFC 8314 §4.3 registers
		add("\r\n\ttls ", tls.CipherSuiteName(s.TLS.CipherSuite))
	}
	add(priorityClause(env), "; ")
	b = now.AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 -0700")
	add("\r\n")
	return b
}

// isShownIn reports whether an original recipient can stand in the header of a message as it is.
func isShownIn(o address.Original, env *lmtp.Envelope) bool {
	return o.Type == "rfc822" || o.Type == "utf-8" && env.SMTPUTF8
}

// maxForPath is the longest path that has its clause, in octets.
const maxForPath = 900

// helloAtom makes the client's name for itself fit for a trace field: what is not part of a
// domain or address literal becomes "?", so that it can neither open a comment nor end the
// field.
func helloAtom(hello string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune(".-_:[]", r):
			return r
		}
		return '?'
	}, hello)
}
