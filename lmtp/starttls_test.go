package lmtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

// secure puts TLS under the dialogue, from the client's side.
func (d *dialogue) secure(config *tls.Config) *tls.Conn {
	d.t.Helper()
	tc := tls.Client(d.nc, config)
	if err := tc.Handshake(); err != nil {
		d.t.Fatal(err)
	}
	d.nc = tc
	d.replies = bufio.NewReader(tc)
	d.queue = make(chan string, 100)
	go sendAll(tc, d.queue)
	return tc
}

// startTLS is the whole upgrade.
func (d *dialogue) startTLS(config *tls.Config) *tls.Conn {
	d.t.Helper()
	d.say("STARTTLS")
	d.expect("220 2.0.0")
	close(d.queue)
	return d.secure(config)
}

// offered are the keywords of a hello.
func (d *dialogue) offered(hello string) []string {
	d.t.Helper()
	d.say(hello)
	var words []string
	for _, line := range d.expect("250").Lines[1:] {
		words = append(words, line[len("250-"):])
	}
	return words
}

// TestSTARTTLS is over a pipe and over TCP.
func TestSTARTTLS(t *testing.T) {
	a := newAuthority(t)
	for network, talk := range map[string]func(testing.TB, *Server) *dialogue{"pipe": talk, "tcp": talkTCP} {
		t.Run("TLS-01, TLS-02 "+network, func(t *testing.T) {
			h := &sessionHandler{}
			s := a.server()
			s.Handler = h
			d := talk(t, s)
			d.expect("220")
			d.say("STARTTLS")
			d.expect("503 5.5.1") // before the hello
			if !slices.Contains(d.offered("LHLO before.example"), "STARTTLS") {
				t.Error("not offered")
			}
			d.say("STARTTLS x")
			d.expect("501 5.5.4")
			d.say("MAIL FROM:<a@src.example>", "STARTTLS", "RSET")
			d.expect("250 2.1.0", "503 5.5.1", "250 2.0.0")
			d.startTLS(a.client())
			// As after the greeting: the hello is forgotten.
			d.say("MAIL FROM:<a@src.example>", "RCPT TO:<u1@dst.example>")
			d.expect("503 5.5.1", "503 5.5.1")
			words := d.offered("LHLO after.example")
			if slices.Contains(words, "STARTTLS") || !slices.Contains(words, "REQUIRETLS") {
				t.Errorf("under TLS %q", words)
			}
			d.say("STARTTLS")
			d.expect("503 5.5.1")
			d.say("MAIL FROM:<a@src.example> REQUIRETLS", "RCPT TO:<u1@dst.example>", "DATA")
			d.expect("250 2.1.0", "250 2.1.5", "354")
			d.say("x", ".", "QUIT")
			d.expect("250 2.0.0", "221 2.0.0")
			d.expectClosed()
			got := h.last()
			if got.With(false) != "LMTPS" || got.Hello != "after.example" || got.TLS == nil {
				t.Errorf("session is %+v", got)
			}
		})
	}
}

func TestSTARTTLSNotOffered(t *testing.T) {
	a := newAuthority(t)
	t.Run("TLS-01 without a certificate", func(t *testing.T) {
		d := opened(t, &Server{Handler: nullHandler{}})
		d.say("STARTTLS")
		d.expect("502 5.5.1")
	})
	t.Run("TLS-01 on a Unix socket", func(t *testing.T) {
		d := talkAs(t, a.server(), &net.UnixAddr{Net: "unix"})
		d.expect("220")
		if words := d.offered("LHLO c.example"); slices.Contains(words, "STARTTLS") {
			t.Errorf("offers %q", words)
		}
		d.say("STARTTLS")
		d.expect("502 5.5.1")
	})
	t.Run("TLS-01 broken for now", func(t *testing.T) {
		for _, config := range []*tls.Config{
			{},
			{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("gone") }},
		} {
			d := opened(t, &Server{Handler: nullHandler{}, TLS: TLS{Config: config}})
			d.say("STARTTLS")
			d.expect("454 4.7.0")
			d.quit()
		}
	})
}

// TLS-03: what was said in the clear is never answered inside TLS, whenever it comes.
func TestSTARTTLSInjection(t *testing.T) {
	a := newAuthority(t)
	t.Run("TLS-03 in one write", func(t *testing.T) {
		d := opened(t, a.server())
		d.send("STARTTLS\r\nMAIL FROM:<evil@src.example>\r\n")
		d.expect("421 4.7.0")
		d.expectClosed()
	})
	t.Run("TLS-03 part of a line", func(t *testing.T) {
		d := opened(t, a.server())
		d.send("STARTTLS\r\nM")
		d.expect("421 4.7.0")
		d.expectClosed()
	})
	t.Run("TLS-03 after the reply", func(t *testing.T) {
		d := opened(t, a.server())
		d.say("STARTTLS")
		d.expect("220 2.0.0")
		d.send("MAIL FROM:<evil@src.example>\r\n")
		rest, _ := io.ReadAll(d.replies) // an alert of TLS, and the end
		if strings.Contains(string(rest), "250") || len(rest) > 16 {
			t.Errorf("answers %q", rest)
		}
		<-d.served
	})
}

func TestTLSVersions(t *testing.T) {
	a := newAuthority(t)
	for version, served := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true,
		tls.VersionTLS13: true} {
		t.Run("TLS-04 "+tls.VersionName(version), func(t *testing.T) {
			s := a.server()
			s.TLS.Config.MinVersion = tls.VersionTLS10 // asks for it in vain
			d := opened(t, s)
			d.say("STARTTLS")
			d.expect("220 2.0.0")
			config := a.client()
			config.MinVersion, config.MaxVersion = version, version
			tc := tls.Client(d.nc, config)
			if err := tc.Handshake(); (err == nil) != served {
				t.Errorf("handshake: %v", err)
			}
			if served && tc.ConnectionState().Version != version {
				t.Error("another version")
			}
		})
	}
	t.Run("TLS-04 no resumption", func(t *testing.T) {
		s := a.server()
		config := a.client()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for range 2 {
			d := opened(t, s)
			tc := d.startTLS(config)
			d.say("NOOP")
			d.expect("250 2.0.0")
			if tc.ConnectionState().DidResume {
				t.Error("resumed: no certificate is presented, and nothing can be bound to it")
			}
		}
	})
}

func TestRequireTLS(t *testing.T) {
	a := newAuthority(t)
	s := a.server()
	s.TLS.Required = true
	d := talk(t, s)
	d.expect("220")
	d.say("MAIL FROM:<a@src.example>", "NOOP", "HELP", "VRFY x", "RSET", "XYZZY")
	d.expect("530 5.7.0", "250 2.0.0", "530 5.7.0", "530 5.7.0", "530 5.7.0", "500 5.5.1")
	d.say("LHLO c.example", "MAIL FROM:<a@src.example>", "RCPT TO:<u1@dst.example>", "DATA")
	d.expect("250", "530 5.7.0", "530 5.7.0", "530 5.7.0")
	d.send("BDAT 6 LAST\r\nNOOP\r\n") // its octets are no command, whatever is answered
	d.expect("530 5.7.0")
	d.startTLS(a.client())
	d.say("LHLO c.example", "MAIL FROM:<a@src.example>", "QUIT")
	d.expect("250", "250 2.1.0", "221 2.0.0")
	d.expectClosed()
}

// TLS-06: the client is answered, and not just cut off.
func TestRequireCertificate(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	for _, tt := range []struct {
		name      string
		presented []tls.Certificate
		accepted  bool
	}{
		{"none", nil, false},
		{"of another authority", []tls.Certificate{stranger.issue("mta.example")}, false},
		{"ours", []tls.Certificate{a.issue("mta.example")}, true},
	} {
		t.Run("TLS-06 "+tt.name, func(t *testing.T) {
			s := a.server()
			s.TLS.Config.ClientCAs = a.pool
			s.TLS.RequireCertificate = true
			d := opened(t, s)
			config := a.client()
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if len(tt.presented) == 0 {
					return &tls.Certificate{}, nil
				}
				return &tt.presented[0], nil
			}
			d.startTLS(config)
			d.say("LHLO c.example", "MAIL FROM:<a@src.example>", "NOOP", "QUIT")
			if tt.accepted {
				d.expect("250", "250 2.1.0", "250 2.0.0", "221 2.0.0")
			} else {
				d.expect("554 5.7.0", "554 5.7.0", "554 5.7.0", "221 2.0.0")
			}
			d.expectClosed()
		})
	}
}

func TestImplicitTLS(t *testing.T) {
	a := newAuthority(t)
	t.Run("TLS-07", func(t *testing.T) {
		h := &sessionHandler{}
		s := a.server()
		s.Handler, s.TLS.Implicit, s.TLS.Required, s.Protocol = h, true, true, ESMTP
		d := talk(t, s)
		close(d.queue)
		d.secure(a.client())
		d.expect("220")
		if words := d.offered("EHLO c.example"); slices.Contains(words, "STARTTLS") {
			t.Errorf("offers %q", words)
		}
		d.say("STARTTLS", "MAIL FROM:<a@src.example>")
		d.expect("503 5.5.1", "250 2.1.0")
		d.quit()
		if got := h.last().With(false); got != "ESMTPS" {
			t.Errorf("with %s", got)
		}
	})
	t.Run("TLS-07 after a PROXY header", func(t *testing.T) {
		s := a.server()
		s.TLS.Implicit, s.Peers.ProxyProtocol, s.Log = true, true, guardtest.Log(t)
		s.Peers.Trusted = func(net.Conn) bool { return true }
		client, server := net.Pipe()
		served := make(chan struct{})
		go func() { defer close(served); s.ServeConn(server) }()
		// The header comes in one segment with the handshake, which it must not swallow.
		tc := tls.Client(&headed{Conn: client, head: "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"}, a.client())
		line, err := bufio.NewReader(tc).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "220 ") {
			t.Errorf("%q, %v", line, err)
		}
		client.Close()
		<-served
	})
	t.Run("TLS-07 refused without a word", func(t *testing.T) {
		s := a.server()
		s.TLS.Implicit = true
		s.Peers.Admit = func(net.Conn) (func(), error) { return nil, errGone }
		talk(t, s).expectClosed()
	})
	t.Run("TLS-07 in the clear", func(t *testing.T) {
		s := a.server()
		s.TLS.Implicit = true
		d := talk(t, s)
		d.say("LHLO c.example")
		rest, _ := io.ReadAll(d.replies) // an alert
		if strings.Contains(string(rest), "250") {
			t.Errorf("answers %q", rest)
		}
		<-d.served
	})
}

// headed sends something before the first write, and with it.
type headed struct {
	net.Conn
	head string
}

func (c *headed) Write(p []byte) (int, error) {
	if c.head == "" {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(append([]byte(c.head), p...))
	n = max(n-len(c.head), 0)
	c.head = ""
	return n, err
}

// A client that begins a handshake and does not go on holds its connection for a minute.
func TestHandshakeTimeout(t *testing.T) {
	a := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		s := a.server()
		d := opened(t, s)
		d.say("STARTTLS")
		d.expect("220 2.0.0")
		begun := time.Now()
		<-d.served
		if waited := time.Since(begun); waited != maxHandshake {
			t.Errorf("ended after %v", waited)
		}
	})
}

// A shutdown that has lost its patience ends a handshake too.
func TestShutdownInHandshake(t *testing.T) {
	a := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		s := a.server()
		d := opened(t, s)
		d.say("STARTTLS")
		d.expect("220 2.0.0")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		<-d.served
	})
}

// TRC-02: the sixteen names and HELO.
func TestWith(t *testing.T) {
	for _, tt := range []struct {
		protocol Protocol
		utf8     bool
		want     [4]string // plain, AUTH, TLS, TLS and AUTH
	}{
		{ESMTP, false, [4]string{"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"}},
		{ESMTP, true, [4]string{"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"}},
		{LMTP, false, [4]string{"LMTP", "LMTPA", "LMTPS", "LMTPSA"}},
		{LMTP, true, [4]string{"UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"}},
	} {
		for i, want := range tt.want {
			s := &Session{Protocol: tt.protocol, Extended: true}
			if i&1 != 0 {
				s.Identity = "alice"
			}
			if i&2 != 0 {
				s.TLS = &tls.ConnectionState{}
			}
			if got := s.With(tt.utf8); got != want {
				t.Errorf("TRC-02: %s, want %s", got, want)
			}
			s.Extended = false
			if got := s.With(tt.utf8); got != "SMTP" {
				t.Errorf("TRC-02 HELO: %s", got)
			}
		}
	}
}
