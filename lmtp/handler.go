package lmtp

import (
	"context"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Handler takes the mail that a Server receives, as an http.Handler takes requests.
// Its methods are called from many sessions at once.
type Handler interface {
	// Mail begins a transaction after MAIL was understood. A non-nil error refuses it.
	Mail(ctx context.Context, s *Session, env *Envelope) (Transaction, error)
}

// A Transaction is one message on its way to its recipients. The Server calls its methods
// from one goroutine, in the order Rcpt…, Write…, and then exactly one of Commit and Abort.
//
// An error that is, or wraps, an *Error is the reply to the client. Any other error is
// temporary: the client gets 451 4.3.0, and the text goes to the log only.
type Transaction interface {
	// Rcpt decides on one forward-path. After nil the recipient has been accepted: it
	// gets exactly one outcome, by Commit. It must not keep to.
	Rcpt(ctx context.Context, to *Recipient) error

	// Write takes content: octets as sent, with CRLF line ends, transparency dots removed
	// (RFC 5321 §4.5.2). It must not keep p. After an error Write is not called again; the
	// Server reads to the end of the data, calls Abort, and that error is the outcome of every recipient.
	Write(p []byte) (int, error)

	// Commit ends the content and delivers. It returns at once: the time that a client may be
	// kept waiting is counted from there. The channel yields one value for each accepted
	// recipient, in the order of their Rcpt calls, each as soon as it is known: nil when the
	// copy is durable, else why it is not. The channel must have room for them all, so that
	// a delivery never waits for a client that has gone, and is closed after the last. When ctx
	// ends, all values that are missing must follow at once. Its cause may be ErrClientGone.
	Commit(ctx context.Context) <-chan error

	// Abort drops the transaction: nothing of it may stay visible. why is the reply to every
	// accepted recipient, and nil when there is none: after RSET, a new hello or QUIT, or when the
	// connection was lost.
	Abort(why error)
}

// An Envelope is the argument of MAIL (RFC 5321 §3.3).
type Envelope struct {
	// ID names the transaction in replies, trace fields and logs; unique in this process
	// and made of letters, digits and dots.
	ID string
	// From is the reverse-path; the zero Address is <>.
	From address.Address
	// SMTPUTF8 is set when the client asked for it (RFC 6531 §3.4).
	SMTPUTF8 bool
	// Body is the BODY parameter in upper case, "" where there was none (RFC 6152).
	Body string
	// Size is the declared size in octets, 0 where the client did not say (RFC 1870).
	Size int64
	// Priority is from -9 to 9, and 0 unless HasPriority is set: the client asked for one. A peer
	// that is not trusted cannot have more than 0 (RFC 6710).
	Priority    int
	HasPriority bool
	// PRDR is set when an ESMTP client wants a reply for each recipient: then each may
	// succeed or fail on its own, as with LMTP.
	PRDR bool
	// RequireTLS is set for a message that must not travel without TLS (RFC 8689).
	RequireTLS bool
	// Return says what of the message a report of failure brings back: "FULL", "HDRS", or "" where the client did not
	// say (RFC 3461 §4.3).
	Return string
	// EnvelopeID is what the sender calls the message in reports: printable ASCII; "" for nothing (RFC 3461 §4.4).
	EnvelopeID string
	// Origin is the message's client as a trusted peer knows it (XFORWARD); nil: unknown.
	Origin *Origin

	lowered bool // Priority is less than was asked for
}

// A Recipient is the argument of RCPT.
type Recipient struct {
	// To is the forward-path, without its source route.
	To address.Address
	// ValidSince is the time since which the mailbox must have had one owner, or the message
	// is not for it (RFC 7293); the zero Time: any owner.
	ValidSince time.Time
	// IgnoreQuota is set where a trusted peer wants the message in the mailbox though that is
	// full.
	IgnoreQuota bool
	// Notify says of what the sender wants reports (RFC 3461 §4.1).
	Notify Notify
	// Original is the recipient that the sender named, as far as the client knows (RFC 3461 §4.2).
	Original address.Original
}
