package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xdg-go/scram"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/auth"
)

const (
	password = "pässword 1"
	// scramUser and cryptUser have it, in their ways.
	users = "scramUser:{SCRAM-SHA-256}4096,CV4DxPJ8iMg52xiXDp+6xg==,/q2YF+tFI2z7+Fs1TSNUYX1e02JD2c9XHdt8WB++jwM=,0fQ785E4Y/yOBu1Ev/XOAg/48XQVH36Ed0dHKyemxEY=\n" +
		"cryptUser:{BLF-CRYPT}$2y$04$aqDgzi3mwV4/0EudfoeVUOzqViyY76o4tgqwtYaU25DyxEkIe8OaO\n"
)

func newAuth(t testing.TB, text string, mechanisms ...string) *auth.Authenticator {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := auth.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(mechanisms, file)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var (
	tcp  = &lmtp.Session{Remote: &net.TCPAddr{}}
	unix = &lmtp.Session{Remote: &net.UnixAddr{Net: "unix"}, Unix: true}
	root = &lmtp.Session{Remote: &net.UnixAddr{Net: "unix"}, Unix: true, Peer: "root"}
	// A PROXY header speaks of another kind of connection than it comes over.
	saysUnix = &lmtp.Session{Remote: &net.UnixAddr{Net: "unix"}}
	saysTCP  = &lmtp.Session{Remote: &net.TCPAddr{}, Unix: true, Peer: "haproxy"}
)

// over is a TLS session, with what the client presented.
func over(peer ...*x509.Certificate) *lmtp.Session {
	s := &lmtp.Session{Remote: &net.TCPAddr{}, TLS: &tls.ConnectionState{PeerCertificates: peer}}
	if len(peer) > 0 {
		s.TLS.VerifiedChains = [][]*x509.Certificate{peer}
	}
	return s
}

// AUTH-01, AUTH-08: what is offered to whom.
func TestMechanisms(t *testing.T) {
	all := newAuth(t, users, auth.Plain, auth.External, auth.Scram, auth.ScramPlus)
	verified := over(&x509.Certificate{Subject: pkix.Name{CommonName: "mta"}})
	unverified := over(&x509.Certificate{Subject: pkix.Name{CommonName: "mta"}})
	unverified.TLS.VerifiedChains = nil
	for _, tt := range []struct {
		name    string
		auth    *auth.Authenticator
		session *lmtp.Session
		want    []string
	}{
		{"TCP in the clear", all, tcp, []string{"SCRAM-SHA-256"}},
		{"TLS", all, over(), []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"}},
		{"TLS with a certificate", all, verified, []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "EXTERNAL", "PLAIN"}},
		{"TLS with a certificate of others", all, unverified, []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"}},
		{"Unix socket", all, unix, []string{"SCRAM-SHA-256", "PLAIN"}},
		{"Unix socket with a user", all, root, []string{"SCRAM-SHA-256", "EXTERNAL", "PLAIN"}},
		{"TCP, and says Unix socket", all, saysUnix, []string{"SCRAM-SHA-256"}},
		{"Unix socket, and says TCP", all, saysTCP, []string{"SCRAM-SHA-256"}},
		{"not all enabled", newAuth(t, users, auth.Plain), over(), []string{"PLAIN"}},
		{"no SCRAM in the file", newAuth(t, "a:{PLAIN}b\n", auth.Plain, auth.Scram, auth.ScramPlus), over(),
			[]string{"PLAIN"}},
		{"PLAIN in the clear", newAuth(t, users, auth.Plain), tcp, nil},
	} {
		t.Run("AUTH-01 "+tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.auth.Mechanisms(tt.session)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if _, err := auth.New([]string{"LOGIN"}, nil); err == nil {
		t.Error("LOGIN is a mechanism")
	}
	if _, err := auth.New([]string{auth.Plain}, nil); err == nil {
		t.Error("PLAIN without a file")
	}
	if _, _, err := all.Begin(t.Context(), tcp, "LOGIN").Next(nil); err == nil {
		t.Error("LOGIN begins")
	}
}

// result is what came of one response.
func result(x lmtp.Exchange, done bool, err error) string {
	if e := (*lmtp.Error)(nil); errors.As(err, &e) {
		return fmt.Sprint(e.Code, " ", e.Enhanced)
	}
	if err != nil {
		return err.Error()
	}
	if done {
		return "is " + x.Identity()
	}
	return "goes on"
}

func TestPlain(t *testing.T) {
	a := newAuth(t, users, auth.Plain)
	for response, want := range map[string]string{
		"\x00cryptUser\x00" + password:                   "is cryptUser",
		"\x00scramUser\x00" + password:                   "is scramUser",
		"cryptUser\x00cryptUser\x00" + password:          "is cryptUser",
		"\x00cryptUser\x00pa\u0308ssword 1":              "is cryptUser", // decomposed
		"\x00cryptUser\x00p\u00e4ssword\u00a01":          "is cryptUser", // another space
		"scramUser\x00cryptUser\x00" + password:          "535 5.7.8",
		"\x00cryptUser\x00":                              "535 5.7.8",
		"\x00cryptUser\x00x":                             "535 5.7.8",
		"\x00nobody\x00" + password:                      "535 5.7.8",
		"\x00\x00":                                       "535 5.7.8",
		"\x00cryptuser\x00" + password:                   "535 5.7.8",
		"\x00\xff\x00" + password:                        "535 5.7.8",
		"\x00cryptUser\x00\xff":                          "535 5.7.8",
		"\x00cryptUser\x00" + strings.Repeat("x", 1<<20): "535 5.7.8",
		"\x00" + strings.Repeat("x", 1<<20) + "\x00x":    "535 5.7.8",
		"":                                      "501 5.5.2",
		"cryptUser":                             "501 5.5.2",
		"\x00cryptUser\x00" + password + "\x00": "501 5.5.2",
		strings.Repeat("\x00", 100):             "501 5.5.2",
	} {
		x := a.Begin(t.Context(), over(), auth.Plain)
		_, done, err := x.Next([]byte(response))
		if got := result(x, done, err); got != want {
			t.Errorf("%.40q: %s, want %s", response, got, want)
		}
	}
	x := a.Begin(t.Context(), over(), auth.Plain)
	if challenge, done, err := x.Next(nil); len(challenge) > 0 || done || err != nil {
		t.Errorf("without an initial response: %q, %v, %v", challenge, done, err)
	}
}

func TestExternal(t *testing.T) {
	a := newAuth(t, "", auth.External)
	mail := &x509.Certificate{EmailAddresses: []string{"mta@example.org"}, DNSNames: []string{"mx.example.org"}}
	several := &x509.Certificate{DNSNames: []string{"a.example", "b.example"}, Subject: pkix.Name{CommonName: "mta"}}
	for _, tt := range []struct {
		session        *lmtp.Session
		response, want string
	}{
		{root, "", "is root"},
		{root, "root", "is root"},
		{root, "postfix", "535 5.7.8"},
		{root, "root\x00", "501 5.5.2"},
		{over(mail), "", "is mta@example.org"},
		{over(several), "", "is mta"},
		{over(several), "a.example", "535 5.7.8"},
	} {
		x := a.Begin(t.Context(), tt.session, auth.External)
		_, done, err := x.Next([]byte(tt.response))
		if got := result(x, done, err); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.response, got, tt.want)
		}
	}
}

// TestScram lets the library's client talk to our server; what it says is its business, and that
// nobody gets in who should not is ours.
func TestScram(t *testing.T) {
	client, server := handshake(t)
	session := &lmtp.Session{Remote: &net.TCPAddr{}, TLS: &server.state, Certificate: server.certificate}
	a := newAuth(t, users, auth.Scram, auth.ScramPlus)
	without := newAuth(t, users, auth.Scram)
	exporter, err := scram.NewTLSExporterBinding(&client.state)
	if err != nil {
		t.Fatal(err)
	}
	endPoint, err := scram.NewTLSServerEndpointBinding(&client.state)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := exporter
	elsewhere.Data = []byte("somebody in the middle has another connection")

	for _, tt := range []struct {
		name      string
		auth      *auth.Authenticator
		mechanism string
		user      string
		password  string
		actAs     string
		binding   scram.ChannelBinding
		want      string
	}{
		{"right", a, auth.Scram, "scramUser", password, "", scram.ChannelBinding{}, "is scramUser"},
		{"as oneself", a, auth.Scram, "scramUser", password, "scramUser", scram.ChannelBinding{}, "is scramUser"},
		{"as another", a, auth.Scram, "scramUser", password, "cryptUser", scram.ChannelBinding{}, "535 5.7.8"},
		{"wrong", a, auth.Scram, "scramUser", "x", "", scram.ChannelBinding{}, "535 5.7.8"},
		{"unknown", a, auth.Scram, "nobody", password, "", scram.ChannelBinding{}, "535 5.7.8"},
		{"without such a secret", a, auth.Scram, "cryptUser", password, "", scram.ChannelBinding{}, "535 5.7.8"},
		{"exporter", a, auth.ScramPlus, "scramUser", password, "", exporter, "is scramUser"},
		{"end point", a, auth.ScramPlus, "scramUser", password, "", endPoint, "is scramUser"},
		{"another connection", a, auth.ScramPlus, "scramUser", password, "", elsewhere, "535 5.7.8"},
		{"tls-unique", a, auth.ScramPlus, "scramUser", password, "", scram.NewTLSUniqueBinding([]byte("x")), "535 5.7.8"},
		{"plus without binding", a, auth.ScramPlus, "scramUser", password, "", scram.ChannelBinding{}, "535 5.7.8"},
		{"binding without plus", a, auth.Scram, "scramUser", password, "", exporter, "535 5.7.8"},
		{"no plus", without, auth.Scram, "scramUser", password, "", scram.ChannelBinding{}, "is scramUser"},
	} {
		t.Run("AUTH-08 "+tt.name, func(t *testing.T) {
			c, err := scram.SHA256.NewClient(tt.user, tt.password, tt.actAs)
			if err != nil {
				t.Fatal(err)
			}
			conversation := c.NewConversation()
			if tt.binding.IsSupported() {
				conversation = c.NewConversationWithChannelBinding(tt.binding)
			}
			x := tt.auth.Begin(t.Context(), session, tt.mechanism)
			if got := converse(t, x, conversation); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	t.Run("AUTH-08 a client that was lied to", func(t *testing.T) {
		// It could bind, and says that we told it that we cannot (RFC 5802 §6).
		x := a.Begin(t.Context(), session, auth.Scram)
		_, done, err := x.Next([]byte("y,,n=scramUser,r=nonce"))
		if got := result(x, done, err); got != "535 5.7.8" {
			t.Error(got)
		}
		x = without.Begin(t.Context(), session, auth.Scram)
		_, done, err = x.Next([]byte("y,,n=scramUser,r=nonce"))
		if got := result(x, done, err); got != "goes on" {
			t.Error(got)
		}
	})
}

// converse runs an exchange, and wants the server's proof where it ends well.
func converse(t *testing.T, x lmtp.Exchange, c *scram.ClientConversation) string {
	t.Helper()
	challenge, done, err := x.Next(nil)
	for range 5 {
		if done || err != nil {
			break
		}
		response, stepErr := c.Step(string(challenge))
		if stepErr != nil {
			t.Fatalf("client: %v", stepErr)
		}
		challenge, done, err = x.Next([]byte(response))
	}
	if done && !c.Valid() {
		t.Error("the server has not proved that it knows the secret")
	}
	return result(x, done, err)
}

// end is one end of a TLS connection.
type end struct {
	state       tls.ConnectionState
	certificate []byte
}

func handshake(t *testing.T) (client, server end) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	tc := tls.Client(a, &tls.Config{InsecureSkipVerify: true})
	ts := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		SessionTicketsDisabled: true})
	failed := make(chan error)
	go func() { failed <- ts.Handshake() }()
	if err := errors.Join(tc.Handshake(), <-failed); err != nil {
		t.Fatal(err)
	}
	return end{state: tc.ConnectionState()}, end{ts.ConnectionState(), der}
}

// Whatever a client says, in whatever order, it is not let in: it does not know the password.
func FuzzExchange(f *testing.F) {
	a := newAuth(f, users, auth.Plain, auth.Scram)
	f.Add(true, "n,,n=scramUser,r=nonce", "c=biws,r=nonce,p=AAAA", "")
	f.Add(true, "y,a=x,n=scramUser,r=nonce", "", "c=biws")
	f.Add(true, "p=tls-exporter,,n=u,r=n", "c=cD10", "v=")
	f.Add(false, "\x00cryptUser\x00x", "", "")
	f.Add(false, "", "\x00\x00", "\x00")
	f.Fuzz(func(t *testing.T, proof bool, first, second, third string) {
		name := auth.Plain
		if proof {
			name = auth.Scram
		}
		x := a.Begin(t.Context(), over(), name)
		for _, response := range []string{first, second, third} {
			_, done, err := x.Next([]byte(response))
			if done {
				t.Fatalf("is %q", x.Identity())
			}
			if e := (*lmtp.Error)(nil); err != nil && !errors.As(err, &e) {
				t.Fatalf("not a reply: %v", err)
			}
			if err != nil {
				return
			}
		}
	})
}
