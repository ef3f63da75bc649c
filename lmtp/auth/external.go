package auth

import (
	"context"

	"github.com/emersion/go-sasl"

	"github.com/doorstep-mail/doorstep/lmtp"
)

func (a *Authenticator) offersExternal(s *lmtp.Session) bool { return proved(s) != "" }

// proved is who the client is by the connection alone: the kernel names the user at the other end of a Unix
// socket, and a verified certificate names one by its only e-mail address, else by its only DNS
// name, else by the common name of its subject.
func proved(s *lmtp.Session) string {
	if isUnix(s) {
		return s.Peer
	}
	if s.TLS == nil || len(s.TLS.VerifiedChains) == 0 {
		return ""
	}
	certificate := s.TLS.PeerCertificates[0]
	for _, names := range [][]string{certificate.EmailAddresses, certificate.DNSNames} {
		if len(names) == 1 {
			return names[0]
		}
	}
	return certificate.Subject.CommonName
}

func beginExternal(_ context.Context, _ *Authenticator, s *lmtp.Session) *exchange {
	x := &exchange{}
	x.server = sasl.NewExternalServer(func(identity string) error {
		name := proved(s)
		if identity != "" && identity != name {
			return wrong(name + " wants to act for another")
		}
		x.identity = name
		return nil
	})
	return x
}
