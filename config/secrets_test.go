package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pair is a certificate that is valid for so long, and its key.
func pair(t *testing.T, from, to time.Duration) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	octets, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: octets}))
}

const secretsConfig = `hostname = "mail.example.org"
[[listen]]
address = "tcp:127.0.0.1:2525"
protocol = "esmtp"
tls = "required"
auth = ["SCRAM-SHA-256", "PLAIN"]
[tls]
certificate = "cert.pem"
key = "key.pem"
client_ca = "ca.pem"
[auth]
passwd_file = "users"
[store]
path = "mail/{local}"
` + accounts

func TestCheckSystemSecrets(t *testing.T) {
	const year = 365 * 24 * time.Hour
	good, key := pair(t, -year, year)
	old, oldKey := pair(t, -2*year, -year)
	future, futureKey := pair(t, year, 2*year)
	soon, soonKey := pair(t, -year, 36*time.Hour)
	scram := "alice:{SCRAM-SHA-256}4096,CV4DxPJ8iMg52xiXDp+6xg==," +
		"/q2YF+tFI2z7+Fs1TSNUYX1e02JD2c9XHdt8WB++jwM=,0fQ785E4Y/yOBu1Ev/XOAg/48XQVH36Ed0dHKyemxEY=\n"
	for _, tt := range []struct {
		name  string
		files map[string]string // beside those that are right; "" for none
		mode  map[string]os.FileMode
		want  []string // what each line contains
	}{
		{name: "all well"},
		{"group may read", nil, map[string]os.FileMode{"key.pem": 0o640, "users": 0o640}, nil},
		{"open to everybody", nil, map[string]os.FileMode{"key.pem": 0o644, "users": 0o602},
			[]string{"9:7: tls.key: ", "(mode 0644) (chmod o= ", "12:15: auth.passwd_file: ", "(mode 0602)"}},
		{"expired", map[string]string{"cert.pem": old, "key.pem": oldKey}, nil,
			[]string{"8:15: tls.certificate: the certificate has expired on "}},
		{"not yet", map[string]string{"cert.pem": future, "key.pem": futureKey}, nil,
			[]string{"tls.certificate: the certificate is valid only from "}},
		{"soon", map[string]string{"cert.pem": soon, "key.pem": soonKey}, nil,
			[]string{"tls.certificate: warning: the certificate expires on "}},
		{"another's key", map[string]string{"key.pem": oldKey}, nil,
			[]string{"tls.certificate: read certificate ", "private key does not match public key"}},
		{"missing", map[string]string{"cert.pem": "", "ca.pem": "", "users": ""}, nil,
			[]string{"tls.certificate: ", "no such file", "tls.client_ca: ", "no such file",
				"auth.passwd_file: ", "no such file"}},
		{"no key", map[string]string{"key.pem": ""}, nil, []string{"tls.key: open "}},
		{"rubbish", map[string]string{"cert.pem": "x", "ca.pem": "x"}, nil,
			[]string{"tls.certificate: ", "tls.client_ca: ", "no certificate in PEM"}},
		{"passwords", map[string]string{"users": scram + "bob:{MD5}x\n\nalice:{PLAIN}y\n"}, nil,
			[]string{"auth.passwd_file: line 2 of ", `user "bob": scheme "MD5" is not known`, "line 4 of ", "is there twice"}},
		{"no SCRAM", map[string]string{"users": "bob:{PLAIN}x\n"}, nil,
			[]string{"auth.passwd_file: warning: has no {SCRAM-SHA-256} password"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{
				"mail/x": "", "doorstep.toml": secretsConfig, "cert.pem": good, "key.pem": key, "ca.pem": good, "users": scram,
			}
			for name, text := range tt.files {
				files[name] = text
			}
			path := write(t, files)
			directory := filepath.Dir(path)
			for _, name := range []string{"cert.pem", "key.pem", "ca.pem", "users"} {
				mode := os.FileMode(0o600)
				if m, given := tt.mode[name]; given {
					mode = m
				}
				err := os.Chmod(filepath.Join(directory, name), mode)
				if text, given := tt.files[name]; given && text == "" {
					err = os.Remove(filepath.Join(directory, name))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			got := ""
			for _, p := range load(t, path).CheckSystem() {
				got += p.String() + "\n"
			}
			rest := got
			for _, want := range tt.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("%q is missing in\n%s", want, got)
				}
				rest = after
			}
			if len(tt.want) == 0 {
				if diff := cmp.Diff("", got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
