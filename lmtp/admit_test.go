package lmtp

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

func TestAdmit(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"busy", &Error{Code: 421, Enhanced: "4.7.0", Text: "too many from you"}, "421 4.7.0"},
		{"never", &Error{Code: 554, Enhanced: "5.7.1", Text: "not for you"}, "554 5.7.1"},
		{"temporary, of another code", &Error{Code: 450, Enhanced: "4.7.1", Text: "later"}, "421 4.7.1"},
		{"permanent, of another code", &Error{Code: 550, Enhanced: "5.7.1", Text: "no"}, "554 5.7.1"},
		// The only temporary greeting there is (RFC 5321 §4.2.3, §4.3.2).
		{"a plain error", errors.New("getsockopt: bad file descriptor"), "421 4.3.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			released := 0
			s := &Server{Handler: nullHandler{}, Peers: Peers{Admit: func(net.Conn) (func(), error) {
				return func() { released++ }, tt.err
			}}}
			d := talk(t, s)
			d.expect(tt.want)
			d.expectClosed()
			if released != 0 {
				t.Errorf("released what was not admitted")
			}
			expectIdle(t, s)
		})
	}
	t.Run("admitted", func(t *testing.T) {
		var asked net.Conn
		released := 0
		s := &Server{Handler: nullHandler{}, Peers: Peers{Admit: func(nc net.Conn) (func(), error) {
			asked = nc
			return func() { released++ }, nil
		}}}
		d := opened(t, s)
		if asked == nil || released != 0 {
			t.Errorf("asked about %v, released %d times in the session", asked, released)
		}
		d.quit()
		if released != 1 {
			t.Errorf("released %d times, want once", released)
		}
	})
	t.Run("admitted with nothing to release", func(t *testing.T) {
		s := &Server{Handler: nullHandler{}, Peers: Peers{Admit: func(net.Conn) (func(), error) { return nil, nil }}}
		opened(t, s).quit()
	})
}

// The connection that is one too many is refused; when one ends there is room again.
func TestMaxConnections(t *testing.T) {
	s := &Server{Handler: nullHandler{}, Limits: Limits{Connections: 2}}
	first, second := opened(t, s), opened(t, s)
	for range 3 {
		d := talk(t, s)
		d.expect("421 4.3.2")
		d.expectClosed()
	}
	first.quit()
	third := opened(t, s)
	second.quit()
	third.quit()
}

// A refused connection does not wait for ever for a client that does not read.
func TestRefusedClientDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: nullHandler{}, Limits: Limits{Connections: 1}}
		first := opened(t, s)
		begun := time.Now()
		d := talk(t, s)
		<-d.served
		took(t, begun, s.Timeouts.Idle)
		first.hangUp()
	})
}

// A temporaryError is what Accept says when there are no descriptors left.
type temporaryError struct{}

func (temporaryError) Error() string   { return "accept: too many open files" }
func (temporaryError) Temporary() bool { return true }

// Errors of Accept that pass are waited out, ever longer, up to a second; success begins anew.
func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: nullHandler{}, Log: guardtest.Log(t)}
		l := newPipeListener()
		served := make(chan error)
		go func() { served <- s.Serve(l) }()
		last := time.Now()
		var pauses []time.Duration
		fail := func() {
			l.queue <- accepted{err: temporaryError{}}
			pauses = append(pauses, time.Since(last))
			last = time.Now()
		}
		for range 11 {
			fail()
		}
		l.dial().Close()
		last = time.Now()
		fail()
		fail()
		ms := time.Millisecond
		want := []time.Duration{0, 5 * ms, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, time.Second,
			time.Second, 0, 5 * ms}
		if diff := cmp.Diff(want, pauses); diff != "" {
			t.Errorf("pauses before errors (-want +got):\n%s", diff)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve returned %v, want ErrServerClosed", err)
		}
	})
}

// An error that does not pass ends Serve, and the listener with it.
func TestAcceptFails(t *testing.T) {
	broken := errors.New("accept: invalid argument")
	s := &Server{Handler: nullHandler{}, Log: guardtest.Log(t)}
	l := newPipeListener()
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	l.queue <- accepted{err: broken}
	if err := <-served; !errors.Is(err, broken) {
		t.Errorf("Serve returned %v, want %v", err, broken)
	}
	if _, open := <-l.closed; open {
		t.Errorf("listener is open")
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}
