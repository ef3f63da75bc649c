package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/emersion/go-sasl"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// The mechanisms.
const (
	ScramPlus = "SCRAM-SHA-256-PLUS"
	Scram     = "SCRAM-SHA-256"
	External  = sasl.External
	Plain     = sasl.Plain
)

// Mechanisms are all there are, the strongest first.
var Mechanisms = []string{ScramPlus, Scram, External, Plain}

// A mechanism is a row of their table.
type mechanism struct {
	name    string
	offered func(a *Authenticator, s *lmtp.Session) bool
	begin   func(ctx context.Context, a *Authenticator, s *lmtp.Session) *exchange
}

// mechanisms is the table, the strongest first.
var mechanisms = [...]mechanism{
	{ScramPlus, (*Authenticator).offersPlus, beginScramPlus},
	{Scram, (*Authenticator).offersScram, beginScram},
	{External, (*Authenticator).offersExternal, beginExternal},
	{Plain, (*Authenticator).offersPlain, beginPlain},
}

// An Authenticator is an lmtp.Authenticator.
type Authenticator struct {
	enabled []string
	users   *File
}

// New makes one that offers the mechanisms, where a session allows. users may be nil if EXTERNAL is
// the only one.
func New(mechanisms []string, users *File) (*Authenticator, error) {
	for _, m := range mechanisms {
		switch {
		case !slices.Contains(Mechanisms, m):
			return nil, errors.New("no mechanism of the name " + m)
		case m != External && users == nil:
			return nil, errors.New(m + " needs a password file")
		}
	}
	return &Authenticator{enabled: mechanisms, users: users}, nil
}

// Mechanisms are those offered to s.
func (a *Authenticator) Mechanisms(s *lmtp.Session) []string {
	var names []string
	for _, m := range mechanisms {
		if slices.Contains(a.enabled, m.name) && m.offered(a, s) {
			names = append(names, m.name)
		}
	}
	return names
}

// Begin begins an exchange by one of them.
func (a *Authenticator) Begin(ctx context.Context, s *lmtp.Session, name string) lmtp.Exchange {
	for _, m := range mechanisms {
		if m.name == name {
			return m.begin(ctx, a, s)
		}
	}
	return &exchange{server: broken{errors.New("no mechanism of the name " + name)}}
}

// broken is an exchange that cannot be.
type broken struct{ err error }

func (b broken) Next([]byte) ([]byte, bool, error) { return nil, false, b.err }

// An exchange is the server's side of one mechanism.
type exchange struct {
	server   sasl.Server
	identity string
}

// Next hands a response on. What a server of go-sasl refuses by itself is a response outside its
// mechanism's grammar.
func (x *exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = x.server.Next(response)
	if known := (*lmtp.Error)(nil); err != nil && !errors.As(err, &known) {
		err = &lmtp.Error{Code: 501, Enhanced: "5.5.2", Text: "response not understood", Rule: "syntax", Cause: err}
	}
	return challenge, done && err == nil, err
}

// Identity is who the client is, once the exchange is done.
func (x *exchange) Identity() string { return x.identity }

// wrong is the one answer to credentials that are not valid, whatever is wrong with them; cause is
// for the log.
func wrong(cause string) error {
	return &lmtp.Error{Code: 535, Enhanced: "5.7.8", Text: "credentials are not valid", Rule: "credentials",
		Cause: errors.New(cause)}
}

// busy answers when too many passwords are being checked.
func busy(cause error) error {
	return &lmtp.Error{Code: 454, Enhanced: "4.7.0", Text: "too busy to authenticate, try again later", Rule: "busy",
		Cause: cause}
}

// gone answers when there is no password file any more.
func gone(cause error) error {
	return &lmtp.Error{Code: 454, Enhanced: "4.7.0", Text: "authentication is not possible now, try again later",
		Rule: "passwd_file", Cause: cause}
}

// isUnix reports whether nothing but the kernel is between the client and us: the connection is a
// Unix socket, and no PROXY header names another client. A header alone does not make it one.
func isUnix(s *lmtp.Session) bool {
	return s.Unix && s.Remote != nil && s.Remote.Network() == "unix"
}
