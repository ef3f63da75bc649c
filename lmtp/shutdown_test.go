package lmtp

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

// A bubble ends only when all its goroutines have, so each of these tests is also one for
// leaks.

// stopping calls Shutdown with so much patience, and waits until the server is busy with it.
func stopping(s *Server, patience time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done <- s.Shutdown(ctx)
	}()
	synctest.Wait()
	return done
}

func expectErr(t *testing.T, done <-chan error, want error) {
	t.Helper()
	if err := <-done; !errors.Is(err, want) {
		t.Errorf("Shutdown returned %v, want %v", err, want)
	}
}

// CMD-16: a session that waits for a command is answered at once.
func TestShutdownIdle(t *testing.T) {
	tests := []struct {
		name string
		say  string
		want []string
	}{
		{"greeted", "", nil},
		{"before a hello, in a line", "LHL", nil},
		{"ready", "LHLO c\r\n", []string{"250"}},
		{"after MAIL", "LHLO c\r\nMAIL FROM:<>\r\n", []string{"250", "250 2.1.0"}},
		{"after RCPT, in a line", "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u@dst.example>\r\nRC",
			[]string{"250", "250 2.1.0", "250 2.1.5"}},
		{"after a message", "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u@dst.example>\r\nDATA\r\n.\r\n",
			[]string{"250", "250 2.1.0", "250 2.1.5", "354", "250 2.0.0"}},
	}
	for _, tt := range tests {
		t.Run("CMD-16 "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHandler{}
				s := &Server{Handler: h}
				d := talk(t, s)
				d.expect("220")
				d.send(tt.say)
				d.expect(tt.want...)
				begun := time.Now()
				done := stopping(s, time.Hour)
				d.expect("421 4.3.2")
				d.expectClosed()
				expectErr(t, done, nil)
				took(t, begun, 0)
				h.check(t)
			})
		})
	}
}

// CMD-16: a message that is coming may come to its end.
func TestShutdownInData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHandler{}
		s := &Server{Handler: h}
		d := inData(t, s, "u1", "u2")
		d.say("x")
		done := stopping(s, time.Hour)
		time.Sleep(time.Minute)
		d.say("y", ".", "MAIL FROM:<>")
		d.expect("250 2.0.0", "250 2.0.0", "421 4.3.2")
		d.expectClosed()
		expectErr(t, done, nil)
		h.check(t)
		if got := h.only(t).content.String(); got != "x\r\ny\r\n" {
			t.Errorf("content is %q", got)
		}
	})
}

// CMD-16: a delivery that runs is waited for, and its context is not touched.
func TestShutdownInCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error, 2)
		var work context.Context
		h := &fakeHandler{onCommit: func(ctx context.Context, _ *fakeTx) <-chan error { work = ctx; return results }}
		s := &Server{Handler: h}
		d := inData(t, s, "u1", "u2")
		d.say("x", ".")
		results <- nil
		d.expect("250 2.0.0")
		done := stopping(s, time.Hour)
		time.Sleep(time.Minute)
		if work.Err() != nil {
			t.Errorf("context of the delivery: %v", work.Err())
		}
		results <- errFull
		d.expect("452 4.2.2", "421 4.3.2")
		d.expectClosed()
		expectErr(t, done, nil)
		h.check(t)
	})
}

// When patience is over, the recipients without an outcome get 451 4.3.2, each.
func TestShutdownWithoutPatience(t *testing.T) {
	for _, p := range []Protocol{LMTP, ESMTP} {
		t.Run("CMD-16 in Commit "+p.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				results := make(chan error, 3)
				var work context.Context
				h := &fakeHandler{onCommit: func(ctx context.Context, _ *fakeTx) <-chan error { work = ctx; return results }}
				s := &Server{Handler: h, Protocol: p}
				d := inData(t, s, "u1", "u2", "u3")
				d.say("x", ".")
				results <- nil
				want := []string{"451 4.3.2", "421 4.3.2"}
				if p == LMTP {
					d.expect("250 2.0.0")
					want = []string{"451 4.3.2", "451 4.3.2", "421 4.3.2"}
				}
				begun := time.Now()
				done := stopping(s, time.Minute)
				d.expect(want...)
				took(t, begun, time.Minute+lastCall)
				if !errors.Is(work.Err(), context.Canceled) {
					t.Errorf("context of the delivery: %v", work.Err())
				}
				d.expectClosed()
				expectErr(t, done, context.DeadlineExceeded)
				h.check(t)
			})
		})
	}
	t.Run("CMD-16 in DATA", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := &fakeHandler{}
			s := &Server{Handler: h}
			d := inData(t, s, "u1", "u2")
			d.say("x")
			begun := time.Now()
			done := stopping(s, time.Minute)
			d.expect("421 4.3.2") // once: the content has not ended
			took(t, begun, time.Minute)
			d.expectClosed()
			expectErr(t, done, context.DeadlineExceeded)
			h.check(t)
			if tx := h.only(t); tx.commits != 0 {
				t.Errorf("committed a part of a message")
			}
		})
	})
	t.Run("CMD-16 a client that does not read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &Server{Handler: nullHandler{}, Log: guardtest.Log(t)}
			d := opened(t, s)
			d.say("NOOP")
			synctest.Wait()
			begun := time.Now()
			done := stopping(s, time.Minute)
			expectErr(t, done, context.DeadlineExceeded)
			<-d.served
			if waited := time.Since(begun); waited > time.Minute+lastWords {
				t.Errorf("took %v, want at most %v", waited, time.Minute+lastWords)
			}
		})
	})
	t.Run("CMD-16 a Handler that does not come back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stuck := make(chan struct{})
			h := &fakeHandler{onRcpt: func(string) error { <-stuck; return nil }}
			s := &Server{Handler: h}
			d := opened(t, s)
			d.say("MAIL FROM:<>")
			d.expect("250 2.1.0")
			d.say("RCPT TO:<u@dst.example>")
			synctest.Wait()
			begun := time.Now()
			expectErr(t, stopping(s, time.Minute), context.DeadlineExceeded)
			took(t, begun, time.Minute+lastWords)
			close(stuck)
			<-d.served
			h.check(t)
		})
	})
}

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: nullHandler{}, Log: guardtest.Log(t)}
		served := make(chan error, 3)
		first, second := newPipeListener(), newPipeListener()
		go func() { served <- s.Serve(first) }()
		go func() { served <- s.Serve(second) }()
		a, b := first.dial(), second.dial()
		synctest.Wait()
		expectErr(t, stopping(s, 0), context.DeadlineExceeded) // nobody has read the greetings
		expectErr(t, stopping(s, time.Second), nil)            // and again, when all are gone
		for range 2 {
			if err := <-served; !errors.Is(err, ErrServerClosed) {
				t.Errorf("Serve returned %v, want ErrServerClosed", err)
			}
		}
		a.Close()
		b.Close()

		late := newPipeListener()
		if err := s.Serve(late); !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve after Shutdown returned %v, want ErrServerClosed", err)
		}
		if _, open := <-late.closed; open {
			t.Errorf("listener is open")
		}
		d := talk(t, s)
		d.expect("421 4.3.2")
		d.expectClosed()
	})
}

// A Server that never served can be shut down, and needs a Handler to serve.
func TestServerWithoutUse(t *testing.T) {
	s := &Server{}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := (&Server{}).Serve(newPipeListener()); err == nil {
		t.Error("served without a Handler")
	}
}

// A lateListener accepts a connection at the very moment when it is closed.
type lateListener struct {
	conn   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *lateListener) Accept() (net.Conn, error) {
	<-l.closed
	select {
	case nc := <-l.conn:
		return nc, nil
	default:
		return nil, net.ErrClosed
	}
}

func (l *lateListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *lateListener) Addr() net.Addr { return &net.UnixAddr{Name: "late", Net: "unix"} }

// TestShutdownAcceptsLast: a client that was accepted while the server closed is answered, and Shutdown waits for
// that: the program ends after it.
func TestShutdownAcceptsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		l := &lateListener{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conn <- server
		s := &Server{Handler: nullHandler{}, Log: guardtest.Log(t)}
		go s.Serve(l)
		synctest.Wait()
		down := stopping(s, time.Hour)
		select {
		case err := <-down:
			t.Fatalf("Shutdown returns before a connection has its reply: %v", err)
		default:
		}
		got, err := io.ReadAll(client)
		if err != nil || !strings.HasPrefix(string(got), "421 4.3.2 ") {
			t.Errorf("%q, %v", got, err)
		}
		expectErr(t, down, nil)
	})
}
