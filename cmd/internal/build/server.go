package build

import (
	"log/slog"
	"net"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
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
		Handler:            handler,
		Hostname:           c.Hostname,
		MaxMessageSize:     c.Limits.MessageSize,
		MaxRecipients:      c.Limits.Recipients,
		MaxConnections:     l.Connections,
		IdleTimeout:        c.Limits.IdleTimeout,
		DataTimeout:        c.Limits.DataTimeout,
		TransferTimeout:    c.Limits.TransferTimeout,
		MinDataRate:        c.Limits.MinDataRate,
		MaxTransactions:    c.Limits.Transactions,
		Trusted:            trusted,
		ProxyProtocol:      l.ProxyProtocol,
		MTPriority:         l.MTPriority,
		RRVS:               knowsOwners(c),
		TransactionTimeout: c.Limits.TransactionTimeout,
		NormalizeBareLF:    l.NormalizeBareLF,
		RefuseBareCR:       l.RefuseBareCR,
		BinaryMIME:         c.Store.CRLF,
		Lenient8Bit:        leniencies[l.Lenient8BitLocalPart],
		Hooks:              w.Sessions(),
		Log:                log,
	}
	if l.Protocol == config.ESMTP {
		s.Protocol = lmtp.ESMTP
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
	if len(l.Auth) > 0 {
		if s.Auth, err = auth.New(l.Auth, &auth.File{}); err != nil { // which mechanisms there are is no matter of users
			return "", err
		}
	}
	return s.HelloReply(&lmtp.Session{
		Protocol: s.Protocol, Unix: true, Remote: &net.UnixAddr{Net: "unix"}, Peer: "mail", Trusted: trusted,
	}), nil
}
