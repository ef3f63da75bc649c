package hosting

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// TestPostgresTLS and TestMariaDBTLS: verify wants the right certificate, for the right name, require any,
// and both refuse a server without. What is refused is said in words that one can act on.
func TestPostgresTLS(t *testing.T) {
	c := newCertificates(t)
	// Nobody gets in without TLS.
	rules := c.write(t, "pg_hba.conf", []byte("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"))
	with := peer.StartPostgres(t, "ssl=on", "ssl_cert_file="+c.certificate, "ssl_key_file="+c.key, "hba_file="+rules)
	secured(t, "postgres", c, with, peer.StartPostgres(t), "no encryption")
}

func TestMariaDBTLS(t *testing.T) {
	c := newCertificates(t)
	with := peer.StartMariaDB(t, "--ssl-cert="+c.certificate, "--ssl-key="+c.key)
	with.Run("mysql", "ALTER USER "+peer.DatabaseUser+" REQUIRE SSL")
	secured(t, "mysql", c, with, peer.StartMariaDB(t, "--skip-ssl"), "Access denied")
}

// secured looks an account up in two servers: one that lets nobody in without TLS, and says noTLS then,
// and one that has none.
func secured(t *testing.T, kind string, c certificates, with, without *peer.Database, noTLS string) {
	for _, db := range []*peer.Database{with, without} {
		db.Fill("mail", manual(t, kind+".md", "tables"),
			insert("domain", "domain_key, name", "dst.example", "dst.example"),
			insert("account", "domain_key, local_key, address", "dst.example", "alice", "alice@dst.example"))
	}
	for _, tt := range []struct {
		name string
		db   *peer.Database
		host string
		mode config.DatabaseTLS
		ca   string
		says string // "" where it works
	}{
		{"verify", with, "127.0.0.1", config.DatabaseTLSVerify, c.certificate, ""},
		{"require", with, "127.0.0.1", config.DatabaseTLSRequire, "", ""},
		{"require, whichever name", with, "localhost", config.DatabaseTLSRequire, "", ""},
		{"off", with, "127.0.0.1", config.DatabaseTLSOff, "", noTLS},
		{"verify by another authority", with, "127.0.0.1", config.DatabaseTLSVerify, c.another,
			"certificate signed by unknown authority"},
		{"verify by the system's authorities", with, "127.0.0.1", config.DatabaseTLSVerify, "",
			"certificate signed by unknown authority"},
		{"verify another name", with, "localhost", config.DatabaseTLSVerify, c.certificate,
			"certificate is valid for example.com"},
		{"off of one without", without, "127.0.0.1", config.DatabaseTLSOff, "", ""},
		{"require of one without", without, "127.0.0.1", config.DatabaseTLSRequire, "", "TLS"},
		{"verify of one without", without, "127.0.0.1", config.DatabaseTLSVerify, c.certificate, "TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := connect(tt.db, "mail")
			s.Host = tt.host
			var err error
			if s.TLS, err = build.DatabaseTLS(config.Database{Host: tt.host, TLS: tt.mode, TLSCA: tt.ca}); err != nil {
				t.Fatal(err)
			}
			entry, err := openDirectory(t, kind, s, preset(t, "doorstep")).Lookup(t.Context(), key("alice@dst.example"))
			switch {
			case tt.says == "" && (err != nil || entry.Account == nil):
				t.Errorf("%+v, %v", entry, err)
			case tt.says != "" && (err == nil || errors.Is(err, directory.ErrNotFound) ||
				!strings.Contains(err.Error(), tt.says)):
				t.Errorf("%+v, %v; want an error with %q", entry, err, tt.says)
			}
		})
	}
	_, err := build.DatabaseTLS(config.Database{TLS: config.DatabaseTLSVerify, TLSCA: c.key})
	if err == nil || !strings.Contains(err.Error(), "no certificate in PEM") {
		t.Errorf("a file of authorities that has none: %v", err)
	}
}

// certificates are files that peer.MailUser may read: one of 127.0.0.1 and example.com with its key, that
// vouches for itself, and another that vouches for nobody.
type certificates struct{ dir, certificate, key, another string }

func newCertificates(t *testing.T) certificates {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a key to the user of the database")
	}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	c := certificates{dir: peer.MailDir(t)}
	c.certificate = c.writePEM(t, "cert.pem", "CERTIFICATE", server.Certificate().Raw)
	c.key = c.writePEM(t, "key.pem", "PRIVATE KEY", key)
	c.another = c.writePEM(t, "another.pem", "CERTIFICATE", another(t))
	return c
}

func (c certificates) writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	return c.write(t, name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func (c certificates) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := errors.Join(os.WriteFile(path, content, 0o600), os.Chown(path, peer.MailUser, peer.MailUser)); err != nil {
		t.Fatal(err)
	}
	return path
}

// another makes the certificate of an authority.
func another(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "another"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
