package auth

import (
	"context"

	"github.com/emersion/go-sasl"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// offersPlain: a password goes over the wire as it is, and so never in the clear over TCP
// (RFC 4954 §4).
func (a *Authenticator) offersPlain(s *lmtp.Session) bool { return s.TLS != nil || isUnix(s) }

func beginPlain(ctx context.Context, a *Authenticator, _ *lmtp.Session) *exchange {
	x := &exchange{}
	x.server = sasl.NewPlainServer(func(identity, username, password string) error {
		name, err := a.users.login(ctx, username, password)
		if err != nil {
			return err
		}
		if !sameName(identity, name) {
			return wrong(name + " wants to act for another")
		}
		x.identity = name
		return nil
	})
	return x
}
