package client

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestServerCloses(t *testing.T) {
	const accepted = lhlo + `
C: MAIL FROM:<>
C: RCPT TO:<u1@dst.example>
C: RCPT TO:<nx@dst.example>
C: RCPT TO:<u2@dst.example>
C: DATA
S: 250 ok
S: 250 ok
S: 550 5.1.1 no
S: 250 ok
S: 354 ok
C: x
C: .
`
	const envelope = lhlo + `
C: MAIL FROM:<>
C: RCPT TO:<u1@dst.example>
C: RCPT TO:<nx@dst.example>
C: RCPT TO:<u2@dst.example>
C: DATA
`
	for _, tt := range []struct {
		name, script string
		want         []string
		cause        error
		text         string
	}{
		{"before the first reply", accepted + "X", []string{"no reply", "550 5.1.1 no", "no reply"}, io.EOF,
			"after the data"},
		{"between the replies", accepted + "S: 250 one\nX", []string{"250 one", "550 5.1.1 no", "no reply"}, io.EOF,
			"closed by the server"},
		{"within a reply", accepted + "S: 250 one\nR: \"250 2.0.\"\nX", []string{"250 one", "550 5.1.1 no", "no reply"},
			io.ErrUnexpectedEOF, "within a reply"},
		{"within a multiline reply", accepted + "S: 250 one\nS: 250-2.0.0 a\nX",
			[]string{"250 one", "550 5.1.1 no", "no reply"}, io.EOF, "closed"},
		{"after 421", accepted + "S: 421 4.3.2 down\nX", []string{"421 4.3.2 down", "550 5.1.1 no", "no reply"}, io.EOF,
			"which had replied 421 4.3.2 down"},
		{"in the envelope", envelope + "S: 250 ok\nS: 421 4.7.0 enough\nX",
			[]string{"421 4.7.0 enough", "no reply", "no reply"}, io.EOF, "421 4.7.0 enough"},
		{"at once", lhlo + "X", []string{"no reply", "no reply", "no reply"}, io.EOF, "reply to \"MAIL"},
		{"while it is being told", lhlo + "C: MAIL FROM:<>\nS: 421 4.3.2 down\nX",
			[]string{"421 4.3.2 down", "421 4.3.2 down", "421 4.3.2 down"}, io.EOF, "421 4.3.2 down"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			against(t, script{text: tt.script}, Options{}, func(c *Client) {
				r, err := c.Send(t.Context(), Message{To: To("u1@dst.example", "nx@dst.example", "u2@dst.example"),
					Content: strings.NewReader("x\n")})
				if !errors.Is(err, tt.cause) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %v, want %v and %q", err, tt.cause, tt.text)
				}
				if d := cmp.Diff(tt.want, finals(r)); d != "" {
					t.Error(d)
				}
				for _, o := range r.Recipients {
					if unknown := o.Final.Code == 0; unknown != (o.Err != nil) || unknown && (!o.Temporary() || o.Delivered()) {
						t.Errorf("outcome %+v", o)
					}
				}
				if _, again := c.Send(t.Context(), Message{To: To("u1@dst.example")}); !errors.Is(again, tt.cause) {
					t.Errorf("second Send: %v", again)
				}
			})
		})
	}
}

func TestServerHangsUpWithinContent(t *testing.T) {
	against(t, script{text: lhlo + `
C: MAIL FROM:<>
C: RCPT TO:<u1@dst.example>
C: DATA
S: 250 ok
S: 250 ok
S: 354 ok
C: x
X`}, Options{}, func(c *Client) {
		r, err := c.Send(t.Context(), Message{To: To("u1@dst.example"),
			Content: strings.NewReader("x\n" + strings.Repeat("y\n", 1<<20))})
		if !errors.Is(err, io.EOF) || r.Recipients[0].Err == nil || r.Recipients[0].Delivered() {
			t.Errorf("error %v, outcome %+v", err, r.Recipients[0])
		}
	})
}

func TestUnreadableContentIsNotDelivered(t *testing.T) {
	broken := errors.New("disk on fire")
	ours, theirs := net.Pipe()
	done := script{text: lhlo + `
C: MAIL FROM:<>
C: RCPT TO:<u1@dst.example>
C: DATA
S: 250 ok
S: 250 ok
S: 354 ok`}.play(theirs)
	c, err := New(t.Context(), ours, Options{})
	if err != nil {
		t.Fatal(err)
	}
	content := io.MultiReader(strings.NewReader("Subject: x\n\nhalf"), iotest.ErrReader(broken))
	r, err := c.Send(t.Context(), Message{To: To("u1@dst.example"), Content: content})
	if !errors.Is(err, broken) || !errors.Is(r.Recipients[0].Err, broken) {
		t.Errorf("error %v, outcome %+v", err, r.Recipients[0])
	}
	if err := <-done; err != nil && strings.Contains(err.Error(), `\r\n.\r\n`) {
		t.Errorf("the half message was ended: %v", err)
	}
	if _, err := c.Send(t.Context(), Message{To: To("u1@dst.example")}); !errors.Is(err, broken) {
		t.Errorf("second Send: %v", err)
	}
}

func TestContextEndsSend(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("operator pressed the button")
	o := Options{Trace: func(dir byte, line string) {
		if line == "250 first" {
			cancel(stop) // the second reply never comes
		}
	}}
	against(t, script{text: lhlo + "C: MAIL FROM:<>\nC: RCPT TO:<u@d>\nC: DATA\nS: 250 first"}, o, func(c *Client) {
		r, err := c.Send(ctx, Message{To: To("u@d")})
		if !errors.Is(err, stop) || !errors.Is(r.Recipients[0].Err, stop) {
			t.Errorf("error %v, outcome %+v", err, r.Recipients[0])
		}
	})
}

func TestOutOfStep(t *testing.T) {
	for _, tt := range []struct{ name, script string }{
		{"354 to MAIL", "S: 354 ok\n"},
		{"354 to RCPT", "S: 250 ok\nS: 354 ok\n"},
		{"250 to DATA", "S: 250 ok\nS: 250 ok\nS: 250 ok\n"},
		{"354 to the end of data", "S: 250 ok\nS: 250 ok\nS: 354 ok\nC: .\nS: 354 again\n"},
		{"LMTP-03 354 for no recipient", "S: 250 ok\nS: 550 no\nS: 354 ok\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := lhlo + "C: MAIL FROM:<>\nC: RCPT TO:<u@dst.example>\nC: DATA\n" + tt.script
			against(t, script{text: text}, Options{}, func(c *Client) {
				r, err := c.Send(t.Context(), Message{To: To("u@dst.example")})
				if err == nil || r.Recipients[0].Delivered() {
					t.Errorf("error %v, outcome %+v", err, r.Recipients[0])
				}
			})
		})
	}
}
