package build

import (
	"log/slog"
	"net"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/auth"
)

// leniencies say whose addresses in UTF-8 are taken without SMTPUTF8.
var leniencies = map[config.Leniency]func(*lmtp.Session) bool{
	config.LenientToKnown: func(s *lmtp.Session) bool { return s.Unix || s.Trusted },
	config.LenientToAll:   func(*lmtp.Session) bool { return true },
}

// Server is the server of one listener.
func Server(c *config.Config, l config.Listen, handler lmtp.Handler, w *observe.Observers,
	log *slog.Logger) (*lmtp.Server, error) {
	trusted, err := Trust(l)
	if err != nil {
		return nil, err
	}
	s := &lmtp.Server{
		Handler:  handler,
		Hostname: c.Hostname,
		Limits: lmtp.Limits{
			MessageSize:  c.Limits.MessageSize,
			Recipients:   c.Limits.Recipients,
			Connections:  l.Connections,
			Transactions: c.Limits.Transactions,
			MinDataRate:  c.Limits.MinDataRate,
		},
		Timeouts: lmtp.Timeouts{
			Idle:        c.Limits.IdleTimeout,
			Data:        c.Limits.DataTimeout,
			Transfer:    c.Limits.TransferTimeout,
			Transaction: c.Limits.TransactionTimeout,
		},
		Syntax: lmtp.Syntax{
			NormalizeBareLF: l.NormalizeBareLF,
			RefuseBareCR:    l.RefuseBareCR,
			Lenient8Bit:     leniencies[l.Lenient8BitLocalPart],
		},
		Extensions: lmtp.Extensions{
			BinaryMIME: c.Store.CRLF,
			MTPriority: l.MTPriority,
			RRVS:       knowsOwners(c),
		},
		Peers: lmtp.Peers{Trusted: trusted, ProxyProtocol: l.ProxyProtocol},
		Hooks: w.Sessions(),
		Log:   log,
	}
	if l.Protocol == config.ESMTP {
		s.Protocol = lmtp.ESMTP
	}
	if agent, ok := handler.(*delivery.Agent); ok && l.DSN && agent.Reports.Outbox != nil {
		s.Extensions.DSN = agent.Reports.Outbox.Offers
	}
	return s, nil
}

// HelloReply is the answer to the hello of a peer on the Unix socket of a listener; trusted says whether it may speak
// for others.
func HelloReply(c *config.Config, l config.Listen, trusted bool) (string, error) {
	s, err := Server(c, l, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	s.Extensions.DSN = func() bool { return l.DSN }
	if len(l.Auth) > 0 {
		// Which mechanisms are offered does not depend on the users.
		if s.Auth.Authenticator, err = auth.New(l.Auth, &auth.File{}); err != nil {
			return "", err
		}
	}
	return s.HelloReply(&lmtp.Session{
		Protocol: s.Protocol, Unix: true, Remote: &net.UnixAddr{Net: "unix"}, Peer: "mail", Trusted: trusted,
	}), nil
}
