package client_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/auth"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

const (
	secretPassword = "pässword 1"
	scramUser      = "scram:{SCRAM-SHA-256}4096,CV4DxPJ8iMg52xiXDp+6xg==,/q2YF+tFI2z7+Fs1TSNUYX1e02JD2c9XHdt8WB++jwM=,0fQ785E4Y/yOBu1Ev/XOAg/48XQVH36Ed0dHKyemxEY=\n"
	plainUser      = "plain:{PLAIN}pässword 1\n"
)

// A who remembers as whom mail came.
type who struct{ sessions chan *lmtp.Session }

func (w who) Mail(_ context.Context, s *lmtp.Session, _ *lmtp.Envelope) (lmtp.Transaction, error) {
	w.sessions <- s
	return nil, &lmtp.Error{Code: 550, Enhanced: "5.1.8", Text: "seen"}
}

// serve runs our own server on loopback, and returns its address and a pool that trusts it.
func serve(t *testing.T, s *lmtp.Server, users string,
	mechanisms ...string) (addr string, pool *x509.CertPool, sessions chan *lmtp.Session) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(certificate)
	if s.TLS.Config != nil {
		s.TLS.Config.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	}
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := auth.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if s.Auth.Authenticator, err = auth.New(mechanisms, file); err != nil {
		t.Fatal(err)
	}
	sessions = make(chan *lmtp.Session, 1)
	s.Handler, s.Auth.Delay, s.Log = who{sessions}, time.Nanosecond, guardtest.Watch(t, s.Log)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return l.Addr().String(), pool, sessions
}

// TestSecureSessions: by what name mail comes in.
func TestSecureSessions(t *testing.T) {
	all := []string{auth.ScramPlus, auth.Scram, auth.Plain}
	scram, plain := &client.Login{User: "scram", Password: secretPassword},
		&client.Login{User: "plain", Password: secretPassword}
	secure := func() *lmtp.Server { return &lmtp.Server{TLS: lmtp.TLS{Config: &tls.Config{}}} }
	implicit, tls12, strict := secure(), secure(), secure()
	implicit.TLS.Implicit = true
	tls12.TLS.Config.MaxVersion = tls.VersionTLS12
	strict.TLS.Required, strict.Auth.Required = true, true
	for _, tt := range []struct {
		name       string
		server     *lmtp.Server
		users      string
		mechanisms []string
		options    client.Options
		with       string
		mechanism  string
	}{
		{"STARTTLS", secure(), "", nil, client.Options{TLS: client.TLSRequired}, "LMTPS", ""},
		{"STARTTLS if offered", secure(), "", nil, client.Options{TLS: client.TLSStart}, "LMTPS", ""},
		{"STARTTLS not offered", &lmtp.Server{}, "", nil, client.Options{TLS: client.TLSStart}, "LMTP", ""},
		{"implicit", implicit, "", nil, client.Options{TLS: client.TLSImplicit},
			"LMTPS", ""},
		{"SCRAM in the clear", &lmtp.Server{}, scramUser, all, client.Options{Login: scram}, "LMTPA", "SCRAM-SHA-256 "},
		{"SCRAM bound to TLS 1.3", secure(), scramUser, all,
			client.Options{TLS: client.TLSRequired, Login: scram}, "LMTPSA", "SCRAM-SHA-256-PLUS "},
		{"SCRAM bound to TLS 1.2", tls12, scramUser, all,
			client.Options{TLS: client.TLSRequired, Login: scram}, "LMTPSA", "SCRAM-SHA-256-PLUS "},
		{"PLAIN", strict, plainUser, all,
			client.Options{TLS: client.TLSRequired, Login: plain}, "LMTPSA", "PLAIN "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr, pool, sessions := serve(t, tt.server, tt.users, tt.mechanisms...)
			o := tt.options
			o.TLSConfig = &tls.Config{RootCAs: pool}
			var trace strings.Builder
			o.Trace = func(dir byte, line string) { trace.WriteString(line + "\n") }
			c, err := client.Dial(t.Context(), addr, o)
			if err != nil {
				t.Fatalf("%v\n%s", err, trace.String())
			}
			if _, err := c.Send(t.Context(), client.Message{From: "a@src.example", To: client.To("b@dst.example"),
				Content: strings.NewReader("x")}); err != nil {
				t.Fatal(err)
			}
			if err := c.Quit(t.Context()); err != nil {
				t.Error(err)
			}
			if got := (<-sessions).With(false); got != tt.with {
				t.Errorf("with %s, want %s", got, tt.with)
			}
			if tt.mechanism != "" && !strings.Contains(trace.String(), "AUTH "+tt.mechanism) {
				t.Errorf("not by %s:\n%s", tt.mechanism, trace.String())
			}
			if secret := base64.StdEncoding.EncodeToString([]byte("\x00plain\x00" +
				secretPassword)); strings.Contains(trace.String(), secret) {
				t.Errorf("the password is in the trace:\n%s", trace.String())
			}
		})
	}
}

func TestNoSecureSession(t *testing.T) {
	login := func(password string) *client.Login { return &client.Login{User: "scram", Password: password} }
	t.Run("STARTTLS required", func(t *testing.T) {
		addr, _, _ := serve(t, &lmtp.Server{}, "")
		if _, err := client.Dial(t.Context(), addr, client.Options{TLS: client.TLSRequired}); !errors.Is(err,
			client.ErrNotOffered) {
			t.Error(err)
		}
	})
	t.Run("certificate that nobody vouches for", func(t *testing.T) {
		addr, _, _ := serve(t, &lmtp.Server{TLS: lmtp.TLS{Config: &tls.Config{}}}, "")
		_, err := client.Dial(t.Context(), addr,
			client.Options{TLS: client.TLSRequired, TLSConfig: &tls.Config{RootCAs: x509.NewCertPool()}})
		if !errors.As(err, new(*tls.CertificateVerificationError)) {
			t.Error(err)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		addr, _, _ := serve(t, &lmtp.Server{}, scramUser, auth.Scram)
		_, err := client.Dial(t.Context(), addr, client.Options{Login: login("x")})
		if refused := (*client.ReplyError)(nil); !errors.As(err, &refused) || refused.Reply.Code != 535 ||
			refused.Command != "AUTH SCRAM-SHA-256" {
			t.Error(err)
		}
	})
	t.Run("PLAIN in the clear", func(t *testing.T) {
		err := against(t, "220 mx\r\n", "LHLO", "250-mx\r\n250 AUTH PLAIN\r\n", client.Options{Login: login(secretPassword)})
		if !errors.Is(err, client.ErrNoMechanism) {
			t.Error(err)
		}
	})
	t.Run("replies put in before TLS", func(t *testing.T) {
		err := against(t, "220 mx\r\n", "LHLO", "250-mx\r\n250 STARTTLS\r\n220 2.0.0 go\r\n250-mx\r\n250 AUTH PLAIN\r\n",
			client.Options{TLS: client.TLSRequired})
		if err == nil || !strings.Contains(err.Error(), "in the clear") {
			t.Error(err)
		}
	})
	t.Run("a server that takes any password", func(t *testing.T) {
		err := against(t, "220 mx\r\n", "LHLO", "250-mx\r\n250 AUTH SCRAM-SHA-256\r\n235 2.7.0 welcome\r\n",
			client.Options{Login: login(secretPassword)})
		if err == nil || !strings.Contains(err.Error(), "has not proved") {
			t.Error(err)
		}
	})
}

// against lets a client begin a session with a server that says these words, the second after the
// verb it waits for.
func against(t *testing.T, greeting, verb, rest string, o client.Options) error {
	t.Helper()
	mine, its := net.Pipe()
	go func() {
		io.WriteString(its, greeting)
		in := bufio.NewReader(its)
		if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, verb) {
			its.Close()
			return
		}
		go io.Copy(io.Discard, in)
		io.WriteString(its, rest)
	}()
	t.Cleanup(func() { its.Close() })
	_, err := client.New(t.Context(), mine, o)
	return err
}
