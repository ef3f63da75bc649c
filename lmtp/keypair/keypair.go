// Package keypair reads the certificate of a TLS server from files, and keeps it up to date: when the
// files are replaced, the next handshake presents what is in them.
package keypair

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"

	"github.com/doorstep-mail/doorstep/lmtp/internal/reload"
)

// A Source is a certificate with its key. Programs that renew certificates replace two files one
// after the other: as long as the two do not match, are half written or are gone, the pair before is presented. Without
// one clients could not hand over mail at all, and a certificate says itself until when it may be used.
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
	chain, err := reload.Read(certificate, maxFile)
	if err == nil {
		err = whole(chain)
	}
	secret, e := reload.Read(key, maxFile)
	var pair tls.Certificate
	if err = errors.Join(err, e); err == nil {
		pair, err = tls.X509KeyPair(chain, secret)
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", certificate, key, err)
	}
	return &pair, nil
}

// maxFile bounds a file, in octets: the authorities of the world have half a million.
const maxFile = 16 << 20

// whole refuses a chain that is cut in the middle of a certificate: clients would not know who vouches for the first.
func whole(rest []byte) error {
	for block := (&pem.Block{}); block != nil; {
		block, rest = pem.Decode(rest)
	}
	if bytes.Contains(rest, []byte("-----BEGIN ")) {
		return errors.New("the last certificate in the file has no end")
	}
	return nil
}

// Authorities reads the certificate authorities that client certificates are checked by, in PEM.
func Authorities(file string) (*x509.CertPool, error) {
	text, err := reload.Read(file, maxFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read %s: %w", file, errors.New("no certificate in PEM"))
	}
	if err := whole(text); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return pool, nil
}
