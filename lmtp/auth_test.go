package lmtp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// A fakeAuth knows one secret word. Its mechanisms take any number of steps.
//
//	WORD    the word, at once or after an empty challenge
//	LONG    a challenge that is too long, then the word
//	SERVER  begins with a challenge of the server's
//	ENDLESS has always another challenge
//	BROKEN  is broken
//	PANIC   panics
//	NOBODY  authenticates nobody
type fakeAuth struct{ only []string }

const secretWord = "sesame"

func (a fakeAuth) Mechanisms(s *Session) []string {
	if a.only == nil {
		return []string{"WORD", "LONG", "SERVER", "ENDLESS", "BROKEN", "PANIC", "NOBODY"}
	}
	if s.TLS == nil {
		return nil
	}
	return a.only
}

func (a fakeAuth) Begin(_ context.Context, _ *Session, mechanism string) Exchange {
	return &fakeExchange{mechanism: mechanism}
}

type fakeExchange struct {
	mechanism string
	challenge int
}

func (x *fakeExchange) Identity() string {
	if x.mechanism == "NOBODY" {
		return ""
	}
	return "alice"
}

func (x *fakeExchange) Next(response []byte) (challenge []byte, done bool, err error) {
	x.challenge++
	switch {
	case x.mechanism == "BROKEN":
		return nil, false, errors.New("database is down")
	case x.mechanism == "PANIC":
		panic("index out of range")
	case x.mechanism == "ENDLESS":
		return []byte("again"), false, nil
	case x.mechanism == "SERVER" && x.challenge == 1 && response != nil:
		return nil, false, &Error{Code: 501, Enhanced: "5.7.0", Text: "the server begins"} // AUTH-04
	case x.mechanism == "LONG":
		return make([]byte, wire.MaxAuthLine), false, nil
	case response == nil:
		return []byte{}, false, nil
	case string(response) == secretWord, len(response) > 9000:
		return nil, true, nil
	}
	return nil, false, &Error{Code: 535, Enhanced: "5.7.8", Text: "wrong"}
}

func authServer() *Server {
	return &Server{Handler: nullHandler{}, Auth: Auth{Authenticator: fakeAuth{}, Delay: time.Nanosecond}}
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// A script of commands, each with its reply.
func (d *dialogue) script(pairs ...string) {
	d.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		d.say(pairs[i])
		if last := d.read(); codes(last) != pairs[i+1] {
			d.t.Fatalf("%.60q: %q, want %s", pairs[i], last, pairs[i+1])
		}
	}
}

func TestAuth(t *testing.T) {
	right := encoded(secretWord)
	for name, script := range map[string][]string{
		"AUTH-01 offered":    {"AUTH WORD " + right, "235 2.7.0"},
		"AUTH-02 lower case": {"auth word " + right, "235 2.7.0"},
		"AUTH-02 in a transaction": {"MAIL FROM:<a@src.example>", "250 2.1.0", "AUTH WORD " + right, "503 5.5.1",
			"RCPT TO:<u1@dst.example>", "250 2.1.5"},
		"AUTH-02 after success": {"AUTH WORD " + right, "235 2.7.0", "AUTH WORD " + right, "503 5.5.1",
			"LHLO c.example", "250", "AUTH WORD " + right, "503 5.5.1"},
		"AUTH-02 unknown mechanism": {"AUTH LOGIN", "504 5.5.4", "AUTH PLAIN " + right, "504 5.5.4"},
		"AUTH-02 no mechanism":      {"AUTH", "501 5.5.4"},
		"AUTH-02 wrong":             {"AUTH WORD " + encoded("x"), "535 5.7.8", "AUTH WORD " + right, "235 2.7.0"},
		"AUTH-02 for now": {"AUTH BROKEN", "454 4.7.0", "AUTH PANIC", "454 4.7.0", "AUTH NOBODY " + right,
			"454 4.7.0", "MAIL FROM:<a@src.example>", "250 2.1.0"},
		"AUTH-03 challenge":                {"AUTH WORD", "334", right, "235 2.7.0"},
		"AUTH-03 trailing space":           {"AUTH WORD ", "334", right, "235 2.7.0"},
		"AUTH-03 empty initial response":   {"AUTH WORD =", "535 5.7.8"},
		"AUTH-03 empty response":           {"AUTH WORD", "334", "", "535 5.7.8"},
		"AUTH-03 = is for the initial one": {"AUTH WORD", "334", "=", "501 5.5.2"},
		"AUTH-03 canceled":                 {"AUTH WORD", "334", "*", "501 5.7.0", "AUTH WORD " + right, "235 2.7.0"},
		"AUTH-03 * is no initial one":      {"AUTH WORD *", "501 5.5.2"},
		"AUTH-03 misplaced =":              {"AUTH WORD AA=A", "501 5.5.2"},
		"AUTH-03 no padding":               {"AUTH WORD Zg", "501 5.5.2"},
		"AUTH-03 bits after the end":       {"AUTH WORD Zh==", "501 5.5.2"},
		"AUTH-03 illegal character":        {"AUTH WORD", "334", right[:4] + "-" + right[4:], "501 5.5.2"},
		"AUTH-03 space": {"AUTH WORD " + right + " x", "501 5.5.2", "AUTH WORD", "334", right + " ",
			"501 5.5.2"},
		"AUTH-03 line end within":   {"AUTH WORD", "334", "c2Vz\nYW1l", "501 5.5.2"},
		"AUTH-04 the server begins": {"AUTH SERVER " + right, "501 5.7.0", "AUTH SERVER", "334", right, "235 2.7.0"},
		"AUTH-05 longest line":      {"AUTH WORD", "334", strings.Repeat("A", 12284), "235 2.7.0"},
		"AUTH-05 too long": {"AUTH WORD", "334", strings.Repeat("A", 20000), "500 5.5.6", "NOOP",
			"250 2.0.0"},
		"AUTH-05 too long a command":   {"AUTH WORD " + strings.Repeat("A", 5000), "500 5.5.2", "NOOP", "250 2.0.0"},
		"AUTH-05 too long a challenge": {"AUTH LONG", "500 5.5.6"},
		"AUTH-06 before":               {"MAIL FROM:<a@src.example> AUTH=<>", "250 2.1.0"},
		"AUTH-06 an address":           {"MAIL FROM:<a@src.example> AUTH=a+2Bb@src.example", "250 2.1.0"},
		"AUTH-06 bad xtext":            {"MAIL FROM:<a@src.example> AUTH=a+2b@src.example", "501 5.5.4"},
		"AUTH-06 no address":           {"MAIL FROM:<a@src.example> AUTH=alice", "501 5.5.4"},
		"AUTH-06 no value":             {"MAIL FROM:<a@src.example> AUTH", "501 5.5.4"},
		"AUTH-06 after": {"AUTH WORD " + right, "235 2.7.0", "MAIL FROM:<a@src.example> AUTH=<>",
			"250 2.1.0"},
		"AUTH-07 an end to it": {"AUTH WORD eA==", "535 5.7.8", "AUTH WORD eA==", "535 5.7.8", "AUTH WORD eA==",
			"535 5.7.8", "AUTH WORD " + right, "421 4.7.0"},
		"AUTH-07 an end to what has none": append([]string{"AUTH ENDLESS", "334"},
			append(slices.Repeat([]string{"eA==", "334"}, maxAuthSteps-1), "eA==", "454 4.7.0")...),
	} {
		t.Run(name, func(t *testing.T) {
			opened(t, authServer()).script(script...)
		})
	}
}

func TestAuthNotOffered(t *testing.T) {
	t.Run("AUTH-06 not offered", func(t *testing.T) {
		d := opened(t, &Server{Handler: nullHandler{}})
		d.script("AUTH PLAIN", "502 5.5.1", "MAIL FROM:<a@src.example> AUTH=<>", "555 5.5.4")
	})
	t.Run("AUTH-02 before the hello", func(t *testing.T) {
		d := talk(t, authServer())
		d.expect("220")
		d.script("AUTH WORD", "503 5.5.1")
	})
	t.Run("AUTH-02 after HELO", func(t *testing.T) {
		s := authServer()
		s.Protocol = ESMTP
		d := talk(t, s)
		d.expect("220")
		d.script("HELO c.example", "250", "AUTH WORD", "503 5.5.1", "MAIL FROM:<a@src.example> AUTH=<>", "555 5.5.4")
	})
	t.Run("AUTH-01 under TLS only", func(t *testing.T) {
		a := newAuthority(t)
		s := a.server()
		s.Auth.Authenticator = fakeAuth{only: []string{"WORD"}}
		d := opened(t, s)
		d.script("AUTH WORD", "502 5.5.1")
		d.startTLS(a.client())
		if words := d.offered("LHLO c.example"); !slices.Contains(words, "AUTH WORD") {
			t.Errorf("offers %q", words)
		}
	})
}

func TestRequireAuth(t *testing.T) {
	s := authServer()
	h := &sessionHandler{}
	s.Handler, s.Auth.Required = h, true
	d := talk(t, s)
	d.expect("220")
	d.script("NOOP", "250 2.0.0", "RSET", "250 2.0.0", "HELP", "530 5.7.0", "VRFY x", "530 5.7.0",
		"LHLO c.example", "250", "MAIL FROM:<a@src.example>", "530 5.7.0", "RCPT TO:<u1@dst.example>", "530 5.7.0", "DATA",
		"530 5.7.0")
	d.send("BDAT 6 LAST\r\nQUIT\r\n")
	d.expect("530 5.7.0")
	d.script("AUTH WORD", "334", encoded("x"), "535 5.7.8", "MAIL FROM:<a@src.example>", "530 5.7.0",
		"AUTH WORD "+encoded(secretWord), "235 2.7.0", "MAIL FROM:<a@src.example>", "250 2.1.0")
	d.quit()
	if got := h.last(); got.Identity != "alice" || got.With(false) != "LMTPA" { // AUTH-10
		t.Errorf("session of %q with %s", got.Identity, got.With(false))
	}
}

// AUTH-09: what is buffered after AUTH is the client's response, and nothing else.
func TestAuthPipelined(t *testing.T) {
	d := opened(t, authServer())
	d.say("AUTH WORD", "NOOP", "AUTH WORD", "*", "AUTH WORD", encoded(secretWord), "NOOP")
	d.expect("334", "535 5.7.8", "334", "501 5.7.0", "334", "235 2.7.0", "250 2.0.0")
	d.quit()
}

// TLS-02: who the client was in the clear is forgotten.
func TestSTARTTLSForgetsIdentity(t *testing.T) {
	a := newAuthority(t)
	s := a.server()
	s.Auth.Authenticator, s.Auth.Required = fakeAuth{}, true
	d := opened(t, s)
	d.script("AUTH WORD "+encoded(secretWord), "235 2.7.0", "MAIL FROM:<a@src.example>", "250 2.1.0", "RSET", "250 2.0.0")
	d.startTLS(a.client())
	d.script("LHLO c.example", "250", "MAIL FROM:<a@src.example>", "530 5.7.0")
}

// Guessing takes time; waiting for a client has an end in the middle of an exchange too.
func TestAuthTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: nullHandler{}, Auth: Auth{Authenticator: fakeAuth{}}}
		d := opened(t, s)
		begun := time.Now()
		d.script("AUTH WORD eA==", "535 5.7.8")
		if waited := time.Since(begun); waited != time.Second {
			t.Errorf("answered after %v", waited)
		}
		d.script("AUTH WORD", "334")
		begun = time.Now()
		d.expect("421 4.4.2")
		if waited := time.Since(begun); waited != 5*time.Minute {
			t.Errorf("ended after %v", waited)
		}
		d.expectClosed()

		d = opened(t, s)
		d.script("AUTH WORD", "334")
		stopped := make(chan error)
		go func() { stopped <- s.Shutdown(context.Background()) }()
		d.expect("421 4.3.2")
		d.expectClosed()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestRequireTLSAndAuth(t *testing.T) {
	a := newAuthority(t)
	s := a.server()
	s.Auth.Authenticator, s.Auth.Required, s.TLS.Required = fakeAuth{}, true, true
	d := opened(t, s)
	d.script("AUTH WORD", "530 5.7.0", "MAIL FROM:<a@src.example>", "530 5.7.0")
	d.startTLS(&tls.Config{RootCAs: a.pool, ServerName: "mx.dst.example"})
	d.script("LHLO c.example", "250", "MAIL FROM:<a@src.example>", "530 5.7.0", "AUTH WORD "+encoded(secretWord),
		"235 2.7.0",
		"MAIL FROM:<a@src.example>", "250 2.1.0")
}

// However a client goes about it, each line gets one reply, and only the word lets it in.
func FuzzAuth(f *testing.F) {
	f.Add("AUTH WORD\r\n" + encoded("x") + "\r\nNOOP\r\n")
	f.Add("AUTH WORD =\r\nAUTH SERVER\r\n*\r\n")
	f.Add("AUTH ENDLESS\r\n\r\n\r\n\r\n")
	f.Add("AUTH WORD\r\n" + strings.Repeat("A", 13000) + "\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToUpper(text), "BDAT") {
			t.Skip("its octets are no lines")
		}
		h := &sessionHandler{}
		s := authServer()
		s.Handler, s.Auth.Required = h, true
		d := opened(t, s)
		d.send(text + "\r\n*\r\nRSET\r\nMAIL FROM:<a@src.example>\r\nQUIT\r\n")
		for {
			r := d.read()
			if r.Code == 221 || r.Code == 421 || r.Code == 500 && strings.Contains(r.Lines[0], "web") || r.Code == 500 &&
				strings.Contains(r.Lines[0], "TLS") {
				break
			}
		}
		d.hangUp()
		if got := h.last(); got.ID != "" && got.Identity == "" {
			t.Error("mail without authentication")
		}
	})
}
