package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os/user"
	"slices"
	"strconv"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/auth"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

// secrets are what listeners share to prove who they are, and who clients are.
type secrets struct {
	tls   *tls.Config // nil: no certificate
	users *auth.File  // nil: no password file
}

// buildSecrets reads the files that some listener needs.
func buildSecrets(c *config.Config, log *slog.Logger) (*secrets, error) {
	if err := c.CheckSecrets(); err != nil {
		return nil, failed(err, "others than the owner and the group must not read it")
	}
	s := &secrets{}
	if slices.ContainsFunc(c.Listen, func(l config.Listen) bool { return l.TLS != config.TLSOff }) {
		source, err := keypair.Open(c.TLS.Certificate, c.TLS.Key, log)
		if err != nil {
			return nil, failed(err, "doorstep check tells what is wrong with the configuration")
		}
		s.tls = &tls.Config{GetCertificate: source.Get, MinVersion: tls.VersionTLS12}
		if c.TLS.ClientCA != "" {
			if s.tls.ClientCAs, err = keypair.Authorities(c.TLS.ClientCA); err != nil {
				return nil, failed(err, "tls.client_ca names a file of certificates in PEM")
			}
		}
	}
	if c.Auth.PasswdFile != "" {
		users, err := auth.Open(c.Auth.PasswdFile, log)
		if err != nil {
			return nil, failed(err, "auth.passwd_file names the password file")
		}
		s.users = users
	}
	return s, nil
}

// secure gives the server of a listener TLS and AUTH.
func (s *secrets) secure(server *lmtp.Server, l config.Listen) error {
	if l.TLS != config.TLSOff {
		server.TLS = s.tls
		server.ImplicitTLS = l.TLS == config.TLSImplicit
		server.RequireTLS = l.TLS == config.TLSRequired
		server.RequireCertificate = l.RequireCertificate
	}
	if len(l.Auth) == 0 {
		return nil
	}
	authenticator, err := auth.New(l.Auth, s.users)
	if err != nil {
		return err
	}
	server.Auth, server.RequireAuth = authenticator, l.RequireAuth
	if l.Network != "tcp" && slices.Contains(l.Auth, auth.External) {
		server.Peer = peerName
	}
	return nil
}

// peerName is the user at the other end of a Unix socket, as the kernel tells; "" where it does
// not, or the machine knows no such user.
func peerName(nc net.Conn) string {
	uid, err := peerUID(nc)
	if err != nil {
		return ""
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return ""
	}
	return u.Username
}
