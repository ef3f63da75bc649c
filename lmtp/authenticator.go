package lmtp

import "context"

// An Authenticator authenticates clients (RFC 4422). Its methods are called from many
// sessions at once.
type Authenticator interface {
	// Mechanisms are the names of those offered to a session as it is now, the strongest first.
	// None means that AUTH is not offered.
	Mechanisms(s *Session) []string
	// Begin begins an exchange by one of them. ctx is that of the server's work.
	Begin(ctx context.Context, s *Session, mechanism string) Exchange
}

// An Exchange is the server's side of one authentication.
type Exchange interface {
	// Next takes a response, nil if the client sent no initial one, and returns the next
	// challenge; done means that the client is authenticated. An *Error is the reply to the
	// client, 535 5.7.8 for wrong credentials; any other error is temporary.
	Next(response []byte) (challenge []byte, done bool, err error)
	// Identity is the client's, never "", once Next has returned done.
	Identity() string
}
