package lmtp

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// The clock of these tests is the bubble's: minutes cost nothing, and are exact.

// took checks how long something took.
func took(t *testing.T, since time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(since); got != want {
		t.Errorf("took %v, want %v", got, want)
	}
}

func TestIdleTimeout(t *testing.T) {
	tests := []struct{ name, say string }{
		{"CMD-15 nothing", ""},
		{"CMD-15 part of a line", "RSE"},
		{"CMD-15 part of a long line", strings.Repeat("x", wire.MaxLine+10)},
		{"CMD-15 a line without its LF", "RSET\r"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHandler{}
				d := opened(t, &Server{Handler: h})
				d.say("MAIL FROM:<>")
				d.expect("250 2.1.0")
				begun := time.Now()
				d.send(tt.say)
				d.expect("421 4.4.2")
				took(t, begun, 5*time.Minute)
				d.expectClosed()
				h.check(t)
			})
		})
	}
}

// A line that comes an octet at a time has the time of a line, not of an octet each.
func TestStretchedLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, &Server{Handler: nullHandler{}})
		begun := time.Now()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range 10 {
				d.send("x")
				time.Sleep(time.Minute)
			}
		}()
		d.expect("421 4.4.2")
		took(t, begun, 5*time.Minute)
		d.expectClosed()
		<-sent
	})
}

// Each command has its own time.
func TestBusySessionIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, &Server{Handler: nullHandler{}})
		for range 10 {
			time.Sleep(4 * time.Minute)
			d.say("NOOP")
			d.expect("250 2.0.0")
		}
		d.quit()
	})
}

func TestDataTimeout(t *testing.T) {
	for _, content := range []string{"", "x", "x\r\n", "x\r\n.", "x\r\n.\r", strings.Repeat("x", 100000)} {
		t.Run("CMD-15 stall", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHandler{}
				d := inData(t, &Server{Handler: h, Timeouts: Timeouts{Data: 3 * time.Minute}}, "u1", "u2")
				begun := time.Now()
				d.send(content)
				d.expect("421 4.4.2") // once: it is about the connection, not the recipients
				took(t, begun, 3*time.Minute)
				d.expectClosed()
				h.check(t)
				if tx := h.only(t); len(tx.aborts) != 1 || tx.aborts[0] != nil {
					t.Errorf("aborted with %v, want once with nil", tx.aborts)
				}
			})
		})
	}
}

// What comes after a stall is content that came too late, and never commands.
func TestNothingBehindStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHandler{}
		d := inData(t, &Server{Handler: h}, "u1")
		d.say("x")
		time.Sleep(5*time.Minute - time.Nanosecond)
		d.say("y", ".", "MAIL FROM:<>") // in time
		d.expect("250 2.0.0", "250 2.1.0")
		d.say("RCPT TO:<u1@dst.example>", "DATA", "z")
		d.expect("250 2.1.5", "354")
		time.Sleep(5*time.Minute + time.Nanosecond)
		d.say("RSET", "MAIL FROM:<evil@src.example>", ".", "NOOP")
		d.expect("421 4.4.2")
		d.expectClosed()
		h.check(t)
		if len(h.txs) != 2 || h.txs[0].commits != 1 || h.txs[1].commits != 0 {
			t.Errorf("%d transactions, want a message and a broken one", len(h.txs))
		}
	})
}

// Content may take long, as long as it comes.
func TestSlowContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHandler{}
		d := inData(t, &Server{Handler: h}, "u1")
		for range 10 {
			time.Sleep(4 * time.Minute)
			d.send("x")
		}
		d.send("\r\n.\r\n")
		d.expect("250 2.0.0")
		d.quit()
		h.check(t)
	})
}

// A client that does not read its replies is cut off, wherever it is.
func TestClientDoesNotRead(t *testing.T) {
	tests := []struct{ name, say string }{
		{"the greeting", ""},
		{"pipelined commands", strings.Repeat("NOOP\r\n", 90)},
		{"a message", "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u@dst.example>\r\nDATA\r\nx\r\n.\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHandler{}
				begun := time.Now()
				d := talk(t, &Server{Handler: h})
				if tt.say != "" {
					d.expect("220")
					d.send(tt.say)
				}
				<-d.served
				took(t, begun, 5*time.Minute)
				h.check(t)
			})
		})
	}
}

// CMD-15: recipients without an outcome when the time is over get 451, those before
// them what became of them, each once and in order.
func TestTransactionTimeout(t *testing.T) {
	tests := []struct {
		name  string
		known []error // in time
		want  []string
		esmtp string
	}{
		{"none known", nil, []string{"451 4.3.0", "451 4.3.0", "451 4.3.0"}, "451 4.3.0"},
		{"one known", []error{nil}, []string{"250 2.0.0", "451 4.3.0", "451 4.3.0"}, "451 4.3.0"},
		{"two known", []error{errGone, errFull}, []string{"550 5.1.1", "452 4.2.2", "451 4.3.0"}, "452 4.2.2"},
		{"all known", []error{nil, nil, errGone}, []string{"250 2.0.0", "250 2.0.0", "550 5.1.1"}, "550 5.1.1"},
	}
	for _, tt := range tests {
		for _, p := range []Protocol{LMTP, ESMTP} {
			t.Run(p.String()+"/"+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var ended time.Duration
					h := &fakeHandler{onCommit: func(ctx context.Context, _ *fakeTx) <-chan error {
						begun := time.Now()
						context.AfterFunc(ctx, func() { ended = time.Since(begun) })
						out := make(chan error, 3)
						for _, err := range tt.known {
							out <- err
						}
						return out
					}}
					d := inData(t, &Server{Handler: h, Protocol: p}, "u1", "u2", "u3")
					d.say("x", ".")
					begun := time.Now()
					want := tt.want
					if p == ESMTP {
						want = []string{tt.esmtp}
					}
					d.expect(want...)
					if len(tt.known) < 3 {
						took(t, begun, 8*time.Minute+lastCall)
					}
					synctest.Wait()
					if len(tt.known) < 3 && ended != 8*time.Minute {
						t.Errorf("context of the delivery ended after %v, want 8m", ended)
					}
					d.quit()
					h.check(t)
				})
			})
		}
	}
}

// An outcome that was known in time is answered, even where the client reads it too late.
func TestSlowReaderGetsTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error, 3)
		h := &fakeHandler{onCommit: func(context.Context, *fakeTx) <-chan error { return results }}
		d := inData(t, &Server{Handler: h, Timeouts: Timeouts{Transaction: time.Minute}}, "u1", "u2", "u3")
		d.say("x", ".")
		results <- nil
		synctest.Wait() // the server is writing the first reply
		results <- nil
		results <- errFull
		time.Sleep(2 * time.Minute)
		d.expect("250 2.0.0", "250 2.0.0", "452 4.2.2")
		d.quit()
	})
}

// PIPE-06: 5000 recipients from a client that does not read until it has sent them all. The
// server stops reading instead of keeping replies, and nothing is lost when the client reads.
func TestPipelineWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5000
		s := &Server{Handler: nullHandler{}, Limits: Limits{Recipients: n}}
		d := opened(t, s)
		d.say("MAIL FROM:<>")
		d.expect("250 2.1.0")
		d.send(strings.Repeat("RCPT TO:<u1@dst.example>\r\n", n) + "DATA\r\nx\r\n.\r\nQUIT\r\n")
		synctest.Wait()
		for c := range s.running.conns {
			if held := c.tx.accepted * len("250 2.1.5 recipient ok\r\n"); held > 32<<10 || c.tx.accepted == n {
				t.Errorf("server holds %d octets of replies to %d commands", held, c.tx.accepted)
			}
		}
		time.Sleep(4 * time.Minute)
		for range n {
			d.expect("250 2.1.5")
		}
		d.expect("354")
		for range n {
			d.expect("250 2.0.0")
		}
		d.expect("221 2.0.0")
		d.expectClosed()
	})
}

// A client that goes away, at whatever octet, ends its session at once.
func TestClientGoesAway(t *testing.T) {
	session := "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u@dst.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
	for n := range len(session) {
		synctest.Test(t, func(t *testing.T) {
			h := &fakeHandler{}
			begun := time.Now()
			d := talk(t, &Server{Handler: h})
			read := make(chan struct{})
			go func() {
				io.Copy(io.Discard, d.replies)
				close(read)
			}()
			d.send(session[:n])
			synctest.Wait()
			d.hangUp()
			<-read
			took(t, begun, 0)
			h.check(t)
		})
	}
}
