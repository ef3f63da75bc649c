// Package submit hands mail of our own to an MTA, by SMTP. The program sendmail is no way: under no_new_privs, as a
// hardened service runs, that of Postfix neither works nor fails, but tries for ever.
package submit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A Server is the MTA that takes the mail. A connection is made for each message: that takes 2 ms on a Unix socket, and
// no session is ever stale.
type Server struct {
	// Target is where it listens, as unix:PATH or tcp:HOST:PORT.
	Target string
	// Options are those of the session. The protocol is ESMTP, whatever they say.
	Options client.Options
	// Login returns who to authenticate as. It is asked before each session, as a password may change. [no authentication]
	Login func() (*client.Login, error)
	// AtOnce is how many messages are handed over at once, at most. [4]
	AtOnce int
	// Patience is how long a message waits for its turn. [10s]
	Patience time.Duration

	turns chan struct{}
}

// New returns s with its defaults.
func New(s Server) *Server {
	if s.AtOnce <= 0 {
		s.AtOnce = 4
	}
	if s.Patience <= 0 {
		s.Patience = 10 * time.Second
	}
	s.Options.Protocol = client.ESMTP
	s.turns = make(chan struct{}, s.AtOnce)
	return &s
}

// ErrBusy is a message that found no turn: the server takes others too slowly.
var ErrBusy = errors.New("others are being handed over")

// An Outcome is what became of one recipient. With a nil Err the server has taken the responsibility.
type Outcome struct {
	Err       error
	Temporary bool   // another try may help
	Uncertain bool   // the server may have taken the message all the same (RFC 1047)
	Reply     string // that decided; "" where there was none
}

// Submit hands over the message that compose makes for what the server offers, and returns an Outcome for each of its
// recipients. The error is that of the whole, before there were recipients: of compose, which another try does not help
// but for what it says of itself, or of the connection, which it may.
func (s *Server) Submit(
	ctx context.Context, compose func(client.Extensions) (client.Message, error),
) ([]Outcome, error) {
	leave, err := s.turn(ctx)
	if err != nil {
		return nil, fmt.Errorf("submit by %s: %w", s.Target, err)
	}
	defer leave()
	c, err := s.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	defer c.Close()
	m, err := compose(c.Extensions())
	if err != nil {
		return nil, &ComposeError{err}
	}
	result, err := c.Send(ctx, m)
	if result == nil {
		return nil, &ComposeError{err}
	}
	if err == nil {
		_ = c.Quit(ctx) // everything has been answered; the goodbye is a courtesy
	}
	return outcomes(result), nil
}

// A BarredError is a server that does not let us in, for a reason that does not go away by itself: it refuses the
// client, the name or the password, or has no certificate that is valid.
type BarredError struct{ err error }

// Error is the cause's.
func (e *BarredError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *BarredError) Unwrap() error { return e.err }

// isBarred reports whether an error of the beginning is one.
func isBarred(err error) bool {
	refused := (*client.ReplyError)(nil)
	return errors.As(err, &refused) && refused.Reply.Permanent() ||
		errors.Is(err, client.ErrNotOffered) || errors.Is(err, client.ErrNoMechanism) ||
		errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError))
}

// Offers opens a session as for a message, hands nothing over, and returns what the server offers.
func (s *Server) Offers(ctx context.Context) (client.Extensions, error) {
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	offers := c.Extensions()
	_ = c.Quit(ctx) // a courtesy
	return offers, nil
}

// A ComposeError is a message that cannot be made for the server as it is.
type ComposeError struct{ err error }

// Error is the cause's.
func (e *ComposeError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *ComposeError) Unwrap() error { return e.err }

// turn waits for one of the places.
func (s *Server) turn(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.Patience, ErrBusy)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *Server) dial(ctx context.Context) (*client.Client, error) {
	o := s.Options
	if s.Login != nil {
		login, err := s.Login()
		if err != nil {
			return nil, &BarredError{err}
		}
		o.Login = login
	}
	c, err := client.Dial(ctx, s.Target, o)
	if isBarred(err) {
		err = &BarredError{err}
	}
	return c, err
}

// outcomes are what the replies mean.
func outcomes(r *client.Result) []Outcome {
	list := make([]Outcome, len(r.Recipients))
	for i, o := range r.Recipients {
		list[i] = Outcome{Err: o.Err, Temporary: o.Temporary(), Uncertain: o.Uncertain}
		if o.Final.Code != 0 {
			list[i].Reply = o.Final.String()
		}
		if o.Err == nil && !o.Delivered() {
			list[i].Err = &client.ReplyError{Command: command(r, o), Reply: o.Final}
		}
	}
	return list
}

// command is the one whose reply decided.
func command(r *client.Result, o client.Outcome) string {
	switch {
	case !r.Mail.Positive():
		return "MAIL"
	case !o.Rcpt.Positive():
		return "RCPT"
	case r.Data.Code != 354:
		return "DATA"
	}
	return "end of data"
}
