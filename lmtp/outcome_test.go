package lmtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	errFull  = &Error{Code: 452, Enhanced: "4.2.2", Text: "mailbox full"}
	errGone  = &Error{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox"}
	errPlain = errors.New("open /srv/mail/u1: input/output error")
)

// LMTP-04, LMTP-10, DATA-12: what Commit says, and what the client of each protocol is answered.
func TestOutcomes(t *testing.T) {
	tests := []struct {
		name     string
		outcomes []error
		lmtp     []string
		esmtp    string
	}{
		{"all well", []error{nil, nil, nil}, []string{"250 2.0.0", "250 2.0.0", "250 2.0.0"}, "250 2.0.0"},
		{"in order", []error{nil, errFull, errGone}, []string{"250 2.0.0", "452 4.2.2", "550 5.1.1"}, "452 4.2.2"},
		{"temporary wins over permanent before it", []error{errGone, nil, errFull},
			[]string{"550 5.1.1", "250 2.0.0", "452 4.2.2"}, "452 4.2.2"},
		{"permanent wins over success", []error{nil, errGone, nil}, []string{"250 2.0.0", "550 5.1.1", "250 2.0.0"},
			"550 5.1.1"},
		{"the first of a class", []error{errFull, errPlain, nil}, []string{"452 4.2.2", "451 4.3.0", "250 2.0.0"},
			"452 4.2.2"},
		{"plain errors are temporary", []error{errPlain, errGone, nil}, []string{"451 4.3.0", "550 5.1.1", "250 2.0.0"},
			"451 4.3.0"},
		{"wrapped", []error{fmt.Errorf("u1: %w", errFull), nil, nil}, []string{"452 4.2.2", "250 2.0.0", "250 2.0.0"},
			"452 4.2.2"},
		{"too few", []error{nil}, []string{"250 2.0.0", "451 4.3.0", "451 4.3.0"}, "451 4.3.0"},
		{"none", nil, []string{"451 4.3.0", "451 4.3.0", "451 4.3.0"}, "451 4.3.0"},
		{"too many", []error{nil, nil, nil, errGone, errGone}, []string{"250 2.0.0", "250 2.0.0", "250 2.0.0"}, "250 2.0.0"},
	}
	for _, tt := range tests {
		for _, p := range []Protocol{LMTP, ESMTP} {
			t.Run(fmt.Sprintf("LMTP-04 %s/%s", tt.name, p), func(t *testing.T) {
				h := &fakeHandler{onCommit: func(context.Context, *fakeTx) <-chan error { return outcomes(tt.outcomes...) }}
				d := inData(t, &Server{Handler: h, Protocol: p}, "u1", "u2", "u3")
				d.say("x", ".")
				if p == LMTP {
					d.expect(tt.lmtp...)
				} else {
					d.expect(tt.esmtp)
				}
				d.quit()
				h.check(t)
				if got := h.only(t).content.String(); got != "x\r\n" {
					t.Errorf("content is %q", got)
				}
			})
		}
	}
}

// A Handler may return any *Error; the client gets a reply in good form, of the right class.
func TestOddErrors(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"success in disguise", &Error{Code: 250, Enhanced: "2.0.0", Text: "no"}, "451 4.3.0"},
		{"no code", &Error{Text: "no"}, "451 4.3.0"},
		{"code too large", &Error{Code: 600, Enhanced: "5.0.0"}, "451 4.3.0"},
		{"negative code", &Error{Code: -1}, "451 4.3.0"},
		{"intermediate", &Error{Code: 354}, "451 4.3.0"},
		{"class of another code", &Error{Code: 550, Enhanced: "4.2.1", Text: "no"}, "550 5.0.0"},
		{"no enhanced code", &Error{Code: 550, Text: "no"}, "550 5.0.0"},
		{"no enhanced code, temporary", &Error{Code: 450}, "450 4.0.0"},
		{"half an enhanced code", &Error{Code: 550, Enhanced: "5.1", Text: "no"}, "550 5.0.0"},
		{"enhanced code of words", &Error{Code: 550, Enhanced: "5 no", Text: "no"}, "550 5.0.0"},
		{"enhanced code with a second reply", &Error{Code: 550, Enhanced: "5.1.1 no\r\n250 2.0.0", Text: "ok"}, "550 5.0.0"},
		{"enhanced code with long numbers", &Error{Code: 550, Enhanced: "5.1000.1", Text: "ok"}, "550 5.0.0"},
		{"endless enhanced code", &Error{Code: 550, Enhanced: "5." + strings.Repeat("1", 1000)}, "550 5.0.0"},
		{"text with a second reply", &Error{Code: 550, Enhanced: "5.1.1", Text: "no\r\n250 2.0.0 ok"}, "550 5.1.1"},
		{"nil in an interface", (*Error)(nil), "451 4.3.0"},
		{"nil wrapped", fmt.Errorf("u1: %w", error((*Error)(nil))), "451 4.3.0"},
	}
	for _, tt := range tests {
		t.Run("ESC-01 "+tt.name, func(t *testing.T) {
			h := &fakeHandler{
				onRcpt: func(to string) error {
					if strings.HasPrefix(to, "odd") {
						return tt.err
					}
					return nil
				},
				onCommit: func(context.Context, *fakeTx) <-chan error { return outcomes(nil, tt.err, nil) },
			}
			d := opened(t, &Server{Handler: h})
			d.say("MAIL FROM:<>", "RCPT TO:<odd@dst.example>")
			d.expect("250 2.1.0", tt.want)
			d.say("RCPT TO:<u1@dst.example>", "RCPT TO:<u2@dst.example>", "RCPT TO:<u3@dst.example>", "DATA")
			d.expect("250 2.1.5", "250 2.1.5", "250 2.1.5", "354")
			d.say(".")
			d.expect("250 2.0.0", tt.want, "250 2.0.0")
			d.quit()
			h.check(t)
		})
	}
}

// What a plain error says is for the log, wherever it comes from, and never for the client.
func TestPlainErrorsAreLogged(t *testing.T) {
	tests := []struct {
		name string
		h    *fakeHandler
	}{
		{"Mail", &fakeHandler{onMail: func() error { return errPlain }}},
		{"Rcpt", &fakeHandler{onRcpt: func(string) error { return errPlain }}},
		{"Write", &fakeHandler{onWrite: func([]byte) (int, error) { return 0, errPlain }}},
		{"Commit", &fakeHandler{onCommit: func(context.Context, *fakeTx) <-chan error { return outcomes(errPlain) }}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log syncBuffer
			d := talk(t, &Server{Handler: tt.h, Log: slog.New(slog.NewTextHandler(&log, nil))})
			d.send("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u@dst.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
			said, err := io.ReadAll(d.replies)
			if err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Fatal(err)
			}
			<-d.served
			if n := strings.Count(log.String(), errPlain.Error()); n != 1 {
				t.Errorf("error stands %d times in the log, want once:\n%s", n, log.String())
			}
			if bytes.Contains(said, []byte("srv")) {
				t.Errorf("client was told where files are: %s", said)
			}
		})
	}
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// LMTP-09: the first recipient's reply is on the wire while the second is pending.
func TestReplyAsSoonAsTrue(t *testing.T) {
	second := make(chan error, 2)
	h := &fakeHandler{onCommit: func(context.Context, *fakeTx) <-chan error { return second }}
	d := inData(t, &Server{Handler: h}, "u1", "u2")
	d.say("x", ".")
	second <- nil
	d.expect("250 2.0.0") // would wait for ever if it were held back
	second <- errFull
	d.expect("452 4.2.2")
	close(second)
	d.quit()
	h.check(t)
}

// After an error Write is not called again, the content is read to its end, and every
// recipient gets that error; also where Write took less than it was given and said nothing.
func TestWriteFails(t *testing.T) {
	tests := []struct {
		name string
		n    int
		err  error
		want string
	}{
		{"error", 0, errFull, "452 4.2.2"},
		{"plain error", 3, errPlain, "451 4.3.0"},
		{"short write", 1, nil, "451 4.3.0"},
	}
	for _, tt := range tests {
		t.Run("LMTP-10 "+tt.name, func(t *testing.T) {
			calls := 0
			h := &fakeHandler{onWrite: func([]byte) (int, error) { calls++; return tt.n, tt.err }}
			d := inData(t, &Server{Handler: h}, "u1", "u2")
			d.send("first\r\n")
			d.send("..second\r\nMAIL FROM:<evil@src.example>\r\n")
			d.send("third\r\n.\r\nNOOP\r\n")
			d.expect(tt.want, tt.want, "250 2.0.0")
			d.quit()
			h.check(t)
			tx := h.only(t)
			if calls != 1 || tx.commits != 0 || len(tx.aborts) != 1 || tx.aborts[0] == nil {
				t.Errorf("%d Write, %d Commit, aborted with %v; want 1, 0 and a reason", calls, tx.commits, tx.aborts)
			}
		})
	}
}

// Whatever ends a transaction before its content does, ends it once, and with nothing to tell.
func TestAbort(t *testing.T) {
	tests := []struct {
		name string
		say  string
		want []string
	}{
		{"RSET", "RSET\r\n", []string{"250 2.0.0"}},
		{"hello", "LHLO again.example\r\n", []string{"250"}},
		{"QUIT", "QUIT\r\n", []string{"221 2.0.0"}},
		{"RSET and hello and QUIT", "RSET\r\nLHLO c\r\nRSET\r\nQUIT\r\n",
			[]string{"250 2.0.0", "250", "250 2.0.0", "221 2.0.0"}},
		{"connection lost", "", nil},
		{"connection lost in a command", "RCPT TO:<u2@ds", nil},
		{"connection lost in content", "DATA\r\nx\r\n.", []string{"354"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &fakeHandler{}
			d := opened(t, &Server{Handler: h})
			d.say("MAIL FROM:<>", "RCPT TO:<u1@dst.example>")
			d.expect("250 2.1.0", "250 2.1.5")
			d.send(tt.say)
			d.expect(tt.want...)
			d.hangUp()
			h.check(t)
			if tx := h.only(t); len(tx.aborts) != 1 || tx.aborts[0] != nil {
				t.Errorf("aborted with %v, want once with nil", tx.aborts)
			}
		})
	}
}

// LMTP-15: the client goes away after the first of three replies. The session ends, and the
// context of what is left to do with it.
func TestClientLeavesBetweenReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error, 3)
		var canceled time.Duration
		h := &fakeHandler{onCommit: func(ctx context.Context, _ *fakeTx) <-chan error {
			begun := time.Now()
			context.AfterFunc(ctx, func() { canceled = time.Since(begun) })
			return results
		}}
		d := inData(t, &Server{Handler: h}, "u1", "u2", "u3")
		d.say("x", ".")
		results <- nil
		d.expect("250 2.0.0")
		d.nc.Close()
		results <- nil // true, and nobody there to hear it
		<-d.served
		synctest.Wait()
		if canceled > time.Second {
			t.Errorf("context of the delivery ended after %v, want at once", canceled)
		}
		h.check(t)
		if tx := h.only(t); tx.commits != 1 || len(tx.aborts) != 0 {
			t.Errorf("%d Commit, %d Abort; want 1 and 0", tx.commits, len(tx.aborts))
		}
	})
}

// An outcome that comes after its recipient got 451 must not be given to the next
// recipient: that would be a 250 for a copy that is not there.
func TestLateOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error, 3)
		h := &fakeHandler{onCommit: func(context.Context, *fakeTx) <-chan error { return results }}
		d := inData(t, &Server{Handler: h, Timeouts: Timeouts{Transaction: time.Minute}}, "u1", "u2", "u3")
		// The client reads slowly, so that the server is still writing u1's reply, which is
		// 451, when u1's real outcome comes.
		d.say("x", ".")
		time.Sleep(time.Minute + time.Second) // of the bubble's clock
		results <- nil                        // for u1
		var got []string
		for range 3 {
			got = append(got, codes(d.read()))
		}
		if diff := cmp.Diff([]string{"451 4.3.0", "451 4.3.0", "451 4.3.0"}, got); diff != "" {
			t.Errorf("replies (-want +got):\n%s", diff)
		}
		d.quit()
		h.check(t)
	})
}
