package build

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os/user"
	"slices"
	"strconv"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/auth"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

// Secrets are what listeners share to prove who they are, and who clients are.
type Secrets struct {
	tls   *tls.Config // nil: no certificate
	users *auth.File  // nil: no password file
}

// NewSecrets reads the files that some listener needs.
func NewSecrets(c *config.Config, log *slog.Logger) (*Secrets, error) {
	if err := c.CheckSecrets(); err != nil {
		return nil, cli.Failed(err, "others than the owner and the group must not read it")
	}
	s := &Secrets{}
	if slices.ContainsFunc(c.Listen, func(l config.Listen) bool { return l.TLS != config.TLSOff }) {
		source, err := keypair.Open(c.TLS.Certificate, c.TLS.Key, log)
		if err != nil {
			return nil, cli.Failed(err, "doorstep check tells what is wrong with the configuration")
		}
		s.tls = &tls.Config{GetCertificate: source.Get, MinVersion: tls.VersionTLS12}
		if c.TLS.ClientCA != "" {
			if s.tls.ClientCAs, err = keypair.Authorities(c.TLS.ClientCA); err != nil {
				return nil, cli.Failed(err, "tls.client_ca names a file of certificates in PEM")
			}
		}
	}
	if c.Auth.PasswdFile != "" {
		users, err := auth.Open(c.Auth.PasswdFile, log)
		if err != nil {
			return nil, cli.Failed(err, "auth.passwd_file names the password file")
		}
		s.users = users
	}
	return s, nil
}

// Secure sets the TLS and AUTH of the server of a listener.
func (s *Secrets) Secure(server *lmtp.Server, l config.Listen) error {
	if l.TLS != config.TLSOff {
		server.TLS = lmtp.TLS{
			Config:             s.tls,
			Implicit:           l.TLS == config.TLSImplicit,
			Required:           l.TLS == config.TLSRequired,
			RequireCertificate: l.RequireCertificate,
		}
	}
	if len(l.Auth) == 0 {
		return nil
	}
	authenticator, err := auth.New(l.Auth, s.users)
	if err != nil {
		return err
	}
	server.Auth = lmtp.Auth{Authenticator: authenticator, Required: l.RequireAuth}
	if l.Network != "tcp" && slices.Contains(l.Auth, auth.External) {
		server.Peers.User = peerName
	}
	return nil
}

// peerName is the user at the other end of a Unix socket, as the kernel reports; "" where it does
// not, or the machine knows no such user.
func peerName(nc net.Conn) string {
	uid, err := PeerUID(nc)
	if err != nil {
		return ""
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return ""
	}
	return u.Username
}
