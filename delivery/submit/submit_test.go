package submit_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/submit"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A server answers the n-th line of a client with the n-th of its replies, and hangs up after the last. The content is
// one line.
func serve(t *testing.T, replies ...string) (target string, said func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smtp")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	lines := make(chan string, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		in := bufio.NewReader(nc)
		var all strings.Builder
		defer func() { lines <- all.String() }()
		for i, reply := range replies {
			if i > 0 {
				line, err := in.ReadString('\n')
				for err == nil && strings.HasPrefix(line, "x") {
					line, err = in.ReadString('\n')
				}
				if err != nil {
					return
				}
				all.WriteString(strings.TrimSpace(line) + "|")
			}
			fmt.Fprint(nc, reply)
		}
	}()
	return "unix:" + path, func() string { return <-lines }
}

const greeting, hello, ok = "220 mx.example\r\n", "250-mx.example\r\n250-SMTPUTF8\r\n250 DSN\r\n", "250 ok\r\n"

// plain is a message for two.
func plain(client.Extensions) (client.Message, error) {
	return client.Message{To: client.To("a@b", "c@d"), Content: strings.NewReader("x\n")}, nil
}

// OUT-13, OUT-14 and the failures of the server: what becomes of each recipient.
func TestSubmit(t *testing.T) {
	const temporary, permanent, uncertain, taken = "temporary", "permanent", "temporary uncertain", "taken"
	for name, tt := range map[string]struct {
		replies []string
		want    []string // nil: an error of the whole
	}{
		"taken":            {[]string{greeting, hello, ok, ok, ok, "354 go\r\n", ok, ok}, []string{taken, taken}},
		"taken, then gone": {[]string{greeting, hello, ok, ok, ok, "354 go\r\n", ok}, []string{taken, taken}},
		"no greeting":      {[]string{"554 no\r\n"}, nil},
		"hello refused":    {[]string{greeting, "502 no\r\n"}, nil},
		"MAIL deferred":    {[]string{greeting, hello, "451 later\r\n"}, []string{temporary, temporary}},
		"MAIL refused":     {[]string{greeting, hello, "550 no\r\n"}, []string{permanent, permanent}},
		"one RCPT refused": {[]string{greeting, hello, ok, "550 no\r\n", ok, "354 go\r\n", ok},
			[]string{permanent, taken}},
		"one RCPT deferred": {[]string{greeting, hello, ok, "450 no\r\n", ok, "354 go\r\n", ok},
			[]string{temporary, taken}},
		"DATA deferred":   {[]string{greeting, hello, ok, ok, ok, "451 no\r\n"}, []string{temporary, temporary}},
		"gone at DATA":    {[]string{greeting, hello, ok, ok, ok}, []string{temporary, temporary}},
		"gone at the dot": {[]string{greeting, hello, ok, ok, ok, "354 go\r\n", ""}, []string{uncertain, uncertain}},
		"deferred at the dot": {[]string{greeting, hello, ok, ok, ok, "354 go\r\n", "451 no\r\n"},
			[]string{temporary, temporary}},
		"refused at the dot": {[]string{greeting, hello, ok, ok, ok, "354 go\r\n", "554 no\r\n"},
			[]string{permanent, permanent}},
		"half a reply, at dot": {[]string{greeting, hello, ok, ok, ok, "354 go\r\n", "25"}, []string{uncertain, uncertain}},
	} {
		t.Run(name, func(t *testing.T) {
			target, _ := serve(t, tt.replies...)
			outcomes, err := submit.New(submit.Server{Target: target}).Submit(t.Context(), plain)
			if (err != nil) != (tt.want == nil) || errors.As(err, new(*submit.ComposeError)) {
				t.Fatalf("%v, %v", outcomes, err)
			}
			for i, o := range outcomes {
				got := permanent
				switch {
				case o.Err == nil:
					got = taken
				case o.Uncertain:
					got = uncertain
				case o.Temporary:
					got = temporary
				}
				if got != tt.want[i] {
					t.Errorf("recipient %d is %s (%v), want %s", i, got, o.Err, tt.want[i])
				}
			}
		})
	}
}

// A message is made for what the server offers, and one that cannot be is no fault of the connection.
func TestCompose(t *testing.T) {
	wrong := errors.New("no way")
	target, said := serve(t, greeting, hello)
	s := submit.New(submit.Server{Target: target})
	_, err := s.Submit(t.Context(), func(e client.Extensions) (client.Message, error) {
		if !e.Has("SMTPUTF8") || !e.Has("DSN") || e.Has("8BITMIME") {
			t.Errorf("offers %v", e)
		}
		return client.Message{}, wrong
	})
	if !errors.Is(err, wrong) || !errors.As(err, new(*submit.ComposeError)) {
		t.Errorf("%v", err)
	}
	if lines := said(); lines != "EHLO localhost|" {
		t.Errorf("said %s", lines)
	}
	target, _ = serve(t, greeting, "250 mx.example\r\n")
	s = submit.New(submit.Server{Target: target})
	_, err = s.Submit(t.Context(), func(client.Extensions) (client.Message, error) {
		return client.Message{To: client.To("用户@b")}, nil
	})
	if !errors.Is(err, client.ErrNotOffered) || !errors.As(err, new(*submit.ComposeError)) {
		t.Errorf("%v", err)
	}
}

// A password file that cannot be read makes no connection.
func TestLogin(t *testing.T) {
	wrong := errors.New("no password")
	s := submit.New(submit.Server{Target: "unix:/nonexistent", Login: func() (*client.Login, error) { return nil, wrong }})
	if _, err := s.Submit(t.Context(), plain); !errors.Is(err, wrong) {
		t.Errorf("%v", err)
	}
	s = submit.New(submit.Server{Target: "unix:/nonexistent"})
	if _, err := s.Submit(t.Context(), plain); err == nil || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("%v", err)
	}
}

// Few messages are handed over at once, and the others do not wait for ever (OUT-13).
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := submit.New(submit.Server{Target: "unix:/nonexistent", AtOnce: 1, Login: func() (*client.Login, error) {
			time.Sleep(time.Minute)
			return nil, errors.New("late")
		}})
		first := make(chan error)
		go func() {
			_, err := s.Submit(t.Context(), plain)
			first <- err
		}()
		synctest.Wait()
		began := time.Now()
		if _, err := s.Submit(t.Context(), plain); !errors.Is(err, submit.ErrBusy) || time.Since(began) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := <-first; err == nil || errors.Is(err, submit.ErrBusy) {
			t.Errorf("the first: %v", err)
		}
	})
}
