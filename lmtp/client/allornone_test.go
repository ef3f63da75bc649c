package client

import (
	"strings"
	"testing"
)

const lhloPlain = `
S: 220 mx.example LMTP ready
C: LHLO localhost
S: 250-mx.example
S: 250 PIPELINING
`

// OUT-10: content is sent when every recipient was answered, and only if none is to be tried again.
func TestAllOrNone(t *testing.T) {
	const envelope = lhloPlain + `C: MAIL FROM:<>
C: RCPT TO:<a@d>
C: RCPT TO:<b@d>
S: 250 ok
S: 250 ok
`
	to := To("a@d", "b@d")
	for name, tt := range map[string]struct {
		rest string
		want []string
		errs int
	}{
		"all are accepted": {"S: 250 ok\nC: DATA\nS: 354 ok\nC: x\nC: .\nS: 250 one\nS: 250 two",
			[]string{"250 one", "250 two"}, 0},
		"one is refused":  {"S: 550 no\nC: DATA\nS: 354 ok\nC: x\nC: .\nS: 250 one", []string{"250 one", "550 no"}, 0},
		"one is deferred": {"S: 450 later", []string{"", "450 later"}, 1},
		"DATA is refused": {"S: 250 ok\nC: DATA\nS: 451 later", []string{"451 later", "451 later"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			against(t, script{text: envelope + tt.rest}, Options{}, func(c *Client) {
				r := send(t, c, Message{To: to, Content: strings.NewReader("x"), AllOrNone: true})
				errs := 0
				for i, o := range r.Recipients {
					if o.Final.Code != 0 && o.Final.String() != tt.want[i] {
						t.Errorf("%s: %v", o.To, o.Final)
					}
					if o.Err != nil {
						errs++
						if !o.Temporary() || o.Delivered() || o.Uncertain {
							t.Errorf("%+v", o)
						}
					}
				}
				if errs != tt.errs {
					t.Errorf("%d errors: %+v", errs, r.Recipients)
				}
			})
		})
	}
	// All are refused: there is nothing to send, and the next message begins with RSET.
	against(t, script{text: lhloPlain + `C: MAIL FROM:<>
C: RCPT TO:<a@d>
S: 250 ok
S: 550 no
C: RSET
C: MAIL FROM:<>
C: RCPT TO:<a@d>
S: 250 ok
S: 250 ok
S: 550 no`}, Options{}, func(c *Client) {
		for range 2 {
			r := send(t, c, Message{To: To("a@d"), Content: strings.NewReader("x"), AllOrNone: true})
			if o := r.Recipients[0]; o.Final.Code != 550 || o.Err != nil {
				t.Errorf("%+v", o)
			}
		}
	})
}

// A connection that ends after the end of the content leaves open whether the server has the message.
func TestUncertain(t *testing.T) {
	const begin = lhloPlain + `C: MAIL FROM:<>
C: RCPT TO:<a@d>
C: RCPT TO:<b@d>
C: DATA
S: 250 ok
S: 250 ok
S: 250 ok
S: 354 ok
`
	for name, tt := range map[string]struct {
		rest string
		want []bool
	}{
		"before the end":   {"C: xxx\n", []bool{false, false}},
		"after the end":    {"C: x\nC: .\n", []bool{true, true}},
		"between the two":  {"C: x\nC: .\nS: 250 ok\n", []bool{false, true}},
		"within the reply": {"C: x\nC: .\nS: 250-ok\n", []bool{true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			text := "x"
			if !strings.Contains(tt.rest, "C: .") {
				text = "xxx\n" + strings.Repeat("y\n", 1<<20)
			}
			against(t, script{text: begin + tt.rest + "X"}, Options{}, func(c *Client) {
				r, err := c.Send(t.Context(), Message{To: To("a@d", "b@d"), Content: strings.NewReader(text)})
				if err == nil {
					t.Fatalf("%+v", r)
				}
				for i, o := range r.Recipients {
					if o.Uncertain != tt.want[i] || o.Uncertain && (o.Err == nil || !o.Temporary()) {
						t.Errorf("%s: %+v", o.To, o)
					}
				}
			})
		})
	}
}
