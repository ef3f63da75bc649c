// Package keypair gives a TLS server its certificate from files, and goes with the times: when the
// files are replaced, the next handshake presents what is in them.
package keypair

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/doorstep-mail/doorstep/lmtp/internal/reload"
)

// A Source is a certificate with its key. Programs that renew certificates replace two files one
// after the other: as long as the two do not match, the pair before is presented.
type Source struct {
	pair *reload.Value[*tls.Certificate]
}

// Open reads a certificate, with its chain, and its key, in PEM.
func Open(certificate, key string, log *slog.Logger) (*Source, error) {
	pair, err := reload.New(log, func() (*tls.Certificate, error) { return Load(certificate, key) }, certificate, key)
	if err != nil {
		return nil, err
	}
	return &Source{pair}, nil
}

// Get is for GetCertificate of a tls.Config.
func (s *Source) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.pair.Get(), nil }

// Load reads a certificate and its key, which must belong to one another.
func Load(certificate, key string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", certificate, key, err)
	}
	return &pair, nil
}

// Authorities reads the certificates of those who may vouch for a client, in PEM.
func Authorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read %s: %w", file, errors.New("no certificate in PEM"))
	}
	return pool, nil
}
