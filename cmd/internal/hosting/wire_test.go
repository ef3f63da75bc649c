package hosting

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
)

// TestLatin1: in tables whose character set has no 用户, such an account is not there, which is no
// error; and a domain may be there in A-labels.
func TestLatin1(t *testing.T) {
	db := peer.StartMariaDB(t)
	text, err := os.ReadFile("testdata/postfixadmin.mysql.sql")
	if err != nil {
		t.Fatal(err)
	}
	db.Fill("old", strings.ReplaceAll(string(text), "CHARSET utf8mb4 COLLATE utf8mb4_general_ci", "CHARSET latin1"),
		"INSERT INTO domain (domain) VALUES ('xn--r8jz45g.example')",
		"INSERT INTO mailbox (username, domain) VALUES ('alice@xn--r8jz45g.example', 'xn--r8jz45g.example')")
	d := openDirectory(t, "mysql", connect(db, "old"), preset(t, "postfixadmin"))
	if entry, err := d.Lookup(t.Context(), directory.Key{Local: "alice", Domain: "xn--r8jz45g.example"}); err != nil || entry.Account == nil {
		t.Errorf("alice: %+v, %v", entry, err)
	}
	if found, err := d.Domain(t.Context(), "xn--r8jz45g.example"); err != nil || found.Name != "xn--r8jz45g.example" {
		t.Errorf("domain: %+v, %v", found, err)
	}
	if entry, err := d.Lookup(t.Context(), directory.Key{Local: "用户", Domain: "xn--r8jz45g.example"}); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("用户: %+v, %v", entry, err)
	}
}

// TestPostgresTLS: verify wants the right certificate, require any, and both refuse a server
// without.
func TestPostgresTLS(t *testing.T) {
	authority := httptest.NewTLSServer(nil) // for its certificate, of 127.0.0.1 and by itself
	defer authority.Close()
	key, err := x509.MarshalPKCS8PrivateKey(authority.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := peer.MailDir(t)
	write := func(name, kind string, der []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		switch err := os.Chown(path, peer.MailUser, peer.MailUser); {
		case err != nil && os.Geteuid() != 0:
			t.Skip("needs root")
		case err != nil:
			t.Fatal(err)
		}
		return path
	}
	certificate := write("cert.pem", "CERTIFICATE", authority.Certificate().Raw)
	with := peer.StartPostgres(t, "ssl=on", "ssl_cert_file="+certificate, "ssl_key_file="+write("key.pem", "PRIVATE KEY", key))
	without := peer.StartPostgres(t)
	for _, db := range []*peer.Database{with, without} {
		db.Fill("mail", manual(t, "postgres.md", "tables"))
	}
	for _, tt := range []struct {
		name string
		db   *peer.Database
		mode sql.TLSMode
		ca   string
		ok   bool
	}{
		{"off", with, sql.TLSOff, "", true},
		{"require", with, sql.TLSRequire, "", true},
		{"verify", with, sql.TLSVerify, certificate, true},
		{"verify by the system's authorities", with, sql.TLSVerify, "", false},
		{"require of one without", without, sql.TLSRequire, "", false},
		{"verify of one without", without, sql.TLSVerify, certificate, false},
	} {
		s := connect(tt.db, "mail")
		s.TLS, s.CA = tt.mode, tt.ca
		_, err := openDirectory(t, "postgres", s, preset(t, "doorstep")).Lookup(t.Context(), directory.Key{Local: "nobody", Domain: "x.example"})
		if answered := errors.Is(err, directory.ErrNotFound); answered != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
