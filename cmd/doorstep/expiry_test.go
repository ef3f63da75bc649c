package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestCertificateExpiry: the metric is that of the certificate on disk, also when it was renewed.
func TestCertificateExpiry(t *testing.T) {
	dir := place(t)
	soon := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	certify(t, dir, soon)
	s := serveConfig(t, dir, plainConfig(adminConfig)+fmt.Sprintf(
		"[[listen]]\naddress = \"tcp:127.0.0.1:%s\"\nprotocol = \"esmtp\"\ntls = \"starttls\"\n[tls]\ncertificate = "+
			"\"cert.pem\"\nkey = \"key.pem\"\n", peer.FreePort(t)))
	s.awaitLog(t, "admin listener")
	wantExpiry(t, dir, soon)
	later := soon.Add(90 * 24 * time.Hour)
	certify(t, dir, later)
	wantExpiry(t, dir, later)
}

func wantExpiry(t *testing.T, dir string, want time.Time) {
	t.Helper()
	expiry := func() time.Time {
		for _, line := range scrape(t, dir) {
			if value, ok := strings.CutPrefix(line, "doorstep_tls_certificate_expiry_timestamp_seconds "); ok {
				seconds, err := strconv.ParseFloat(value, 64)
				if err != nil {
					t.Fatal(err)
				}
				return time.Unix(int64(seconds), 0)
			}
		}
		return time.Time{}
	}
	eventually(t, func() bool { return expiry().Equal(want) },
		func() string { return fmt.Sprintf("%v, want %v", expiry(), want) })
}

// certify makes a certificate that ends then, and its key.
func certify(t *testing.T, dir string, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(end.Unix()), DNSNames: []string{"mail.example.org"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   end.Add(-365 * 24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der},
		"key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
