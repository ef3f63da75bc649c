package keypair_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

// A pair is a certificate and its key in PEM.
type pair struct{ certificate, key []byte }

func newPair(t *testing.T, serial int64) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A program that renews certificates replaces two files, one after the other.
func TestRenewal(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first, second := newPair(t, 1), newPair(t, 2)
	write(t, certificate, first.certificate)
	write(t, key, first.key)
	var log strings.Builder
	source, err := keypair.Open(certificate, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serial := func(want int64) {
		t.Helper()
		for range 3 {
			got, err := source.Get(nil)
			if err != nil || got.Leaf.SerialNumber.Int64() != want {
				t.Fatalf("certificate %v, %v, want %d", got.Leaf.SerialNumber, err, want)
			}
		}
	}
	serial(1)
	write(t, certificate, second.certificate)
	serial(1)
	if n := strings.Count(log.String(), "changed files are not used"); n != 1 {
		t.Errorf("%d complaints, want 1: %s", n, log.String())
	}
	write(t, key, second.key)
	serial(2)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	serial(2)
	write(t, key, []byte("rubbish"))
	serial(2)
	// A chain that is cut where the next certificate begins has a pair that matches.
	write(t, certificate, append(slices.Clone(first.certificate), first.certificate[:100]...))
	write(t, key, first.key)
	serial(2)
	write(t, certificate, first.certificate)
	write(t, key, first.key)
	serial(1)
}

func TestAuthorities(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := keypair.Authorities(path); err == nil {
		t.Error("read what is not there")
	}
	write(t, path, []byte("rubbish"))
	if _, err := keypair.Authorities(path); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("rubbish: %v", err)
	}
	write(t, path, newPair(t, 1).certificate)
	if pool, err := keypair.Authorities(path); err != nil || pool == nil {
		t.Error(err)
	}
	if _, err := keypair.Open(path, path+".none", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened without a key")
	}
}
