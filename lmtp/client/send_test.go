package client

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// finals returns the decisive replies as text.
func finals(r *Result) []string {
	var list []string
	for _, o := range r.Recipients {
		list = append(list, o.Final.String())
	}
	return list
}

func TestSendPipelined(t *testing.T) {
	const dialogue = lhlo + `
C: MAIL FROM:<a@src.example> SIZE=9 BODY=8BITMIME
C: RCPT TO:<u1@dst.example>
C: RCPT TO:<nx@dst.example>
C: RCPT TO:<full@dst.example>
C: RCPT TO:<u1@dst.example>
C: DATA
S: 250 2.1.0 fine
S: 250 2.1.5 fine
S: 550-5.1.1 no such mailbox,
S: 550 5.1.1 sorry
S: 250 2.1.5 fine
S: 250 2.1.5 fine
S: 354 go on
C: é
C: x
C: .
S: 250 2.0.0 first
S: 452 4.2.2 full
S: 250 2.0.0 second`
	// LMTP-04, LMTP-05, LMTP-06: replies are matched by count, however they arrive.
	for chunk := range 40 {
		against(t, script{text: dialogue, chunk: chunk}, Options{}, func(c *Client) {
			r := send(t, c, Message{
				From: "a@src.example", To: To("u1@dst.example", "nx@dst.example", "full@dst.example", "u1@dst.example"),
				Content: strings.NewReader("é\nx"), Size: 9, Body: "8bitmime",
			})
			want := []string{"250 2.0.0 first", "550 5.1.1 no such mailbox, / sorry", "452 4.2.2 full", "250 2.0.0 second"}
			if d := cmp.Diff(want, finals(r)); d != "" {
				t.Errorf("chunks of %d: %s", chunk, d)
			}
			if r.Octets != 7 {
				t.Errorf("octets = %d, want 7", r.Octets)
			}
			if o := r.Recipients; !o[0].Delivered() || o[1].Temporary() || !o[2].Temporary() || o[2].Rcpt.Code != 250 {
				t.Errorf("outcomes %+v", o)
			}
		})
	}
}

// writes counts the writes on a connection.
type writes struct {
	net.Conn
	list []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.list = append(w.list, string(p))
	return w.Conn.Write(p)
}

func TestPipelinedGroupIsOneWrite(t *testing.T) {
	ours, theirs := net.Pipe()
	conn := &writes{Conn: ours}
	done := script{text: lhlo + `
C: MAIL FROM:<>
C: RCPT TO:<u1@dst.example>
C: DATA
S: 250 ok
S: 250 ok
S: 354 ok
C: x
C: .
S: 250 ok`}.play(theirs)
	c, err := New(t.Context(), conn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, Message{To: To("u1@dst.example"), Content: strings.NewReader("x")})
	want := []string{"LHLO localhost\r\n", "MAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\nDATA\r\n", "x\r\n.\r\n"}
	if d := cmp.Diff(want, conn.list); d != "" {
		t.Error(d)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSendLockStep(t *testing.T) {
	against(t, script{text: `
S: 220 mx.example
C: LHLO localhost
S: 250 mx.example
C: MAIL FROM:<bad@src.example>
S: 550 5.7.1 not you
C: MAIL FROM:<a@src.example>
S: 250 ok
C: RCPT TO:<nx@dst.example>
S: 550 5.1.1 unknown
C: RSET
S: 250 ok
C: MAIL FROM:<a@src.example>
S: 250 ok
C: RCPT TO:<nx@dst.example>
S: 550 5.1.1 unknown
C: RCPT TO:<u1@dst.example>
S: 250 ok
C: DATA
S: 354 ok
C: .
S: 250 stored
C: QUIT
S: 221 bye
X`}, Options{}, func(c *Client) {
		refused := send(t, c, Message{From: "bad@src.example", To: To("u1@dst.example", "u2@dst.example")})
		if d := cmp.Diff([]string{"550 5.7.1 not you", "550 5.7.1 not you"}, finals(refused)); d != "" {
			t.Error("MAIL refused:", d)
		}
		unknown := send(t, c, Message{From: "a@src.example", To: To("nx@dst.example")})
		if unknown.Data.Code != 0 {
			t.Errorf("DATA without a recipient: %v", unknown.Data)
		}
		r := send(t, c, Message{From: "a@src.example", To: To("nx@dst.example", "u1@dst.example")})
		if d := cmp.Diff([]string{"550 5.1.1 unknown", "250 stored"}, finals(r)); d != "" {
			t.Error(d)
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error("Quit:", err)
		}
	})
}

func TestSendRefusals(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		protocol     Protocol
		want         []string
	}{
		{"MAIL refused, all pipelined", `
S: 552 5.3.4 too big
S: 503 5.5.1 MAIL first
S: 503 5.5.1 MAIL first
S: 503 5.5.1 RCPT first`, LMTP, []string{"552 5.3.4 too big", "552 5.3.4 too big"}},
		{"LMTP-03 nobody accepted", `
S: 250 ok
S: 550 5.1.1 no
S: 550 5.1.1 no
S: 503 5.5.1 RCPT first`, LMTP, []string{"550 5.1.1 no", "550 5.1.1 no"}},
		{"DATA refused", `
S: 250 ok
S: 250 ok
S: 550 5.1.1 no
S: 451 4.3.0 not now`, LMTP, []string{"451 4.3.0 not now", "550 5.1.1 no"}},
		{"one reply for all by ESMTP", `
S: 250 ok
S: 250 ok
S: 250 ok
S: 354 go on
C: x
C: .
S: 250 2.0.0 all`, ESMTP, []string{"250 2.0.0 all", "250 2.0.0 all"}},
		{"PIPE-04 data asked for though nobody was accepted", `
S: 250 ok
S: 550 5.1.1 no
S: 550 5.1.1 no
S: 354 go on
C: .
S: 554 5.5.1 nobody`, ESMTP, []string{"550 5.1.1 no", "550 5.1.1 no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hello := strings.Replace(lhlo, "LHLO", tt.protocol.hello(), 1)
			text := hello + "C: MAIL FROM:<>\nC: RCPT TO:<u1@dst.example>\nC: RCPT TO:<u2@dst.example>\nC: DATA" + tt.script
			against(t, script{text: text}, Options{Protocol: tt.protocol}, func(c *Client) {
				r := send(t, c, Message{To: To("u1@dst.example", "u2@dst.example"), Content: strings.NewReader("x\n")})
				if d := cmp.Diff(tt.want, finals(r)); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

func TestSeveralTransactions(t *testing.T) {
	against(t, script{text: lhlo + `
C: MAIL FROM:<>
C: RCPT TO:<u1@dst.example>
C: DATA
S: 250 ok
S: 451 4.4.3 later
S: 503 5.5.1 no
C: RSET
C: MAIL FROM:<>
C: RCPT TO:<u1@dst.example>
C: DATA
S: 250 ok
S: 250 ok
S: 250 ok
S: 354 ok
C: x
C: .
S: 250 one
C: MAIL FROM:<>
C: RCPT TO:<u1@dst.example>
C: DATA
S: 250 ok
S: 250 ok
S: 354 ok
C: y
C: .
S: 250 two`}, Options{}, func(c *Client) {
		var got []string
		for _, content := range []string{"-", "x", "y\r\n"} {
			r := send(t, c, Message{To: To("u1@dst.example"), Content: strings.NewReader(content)})
			got = append(got, finals(r)...)
		}
		if d := cmp.Diff([]string{"451 4.4.3 later", "250 one", "250 two"}, got); d != "" {
			t.Error(d)
		}
	})
}

func TestManyRecipientsToServerThatRepliesAtOnce(t *testing.T) {
	// PIPE-06: over a pipe without any buffer, a client that writes all its commands before it
	// reads the first reply would never come to an end.
	const n = 5000
	var b strings.Builder
	b.WriteString(lhlo + "C: MAIL FROM:<>\nS: 250 ok\n")
	b.WriteString(strings.Repeat("C: RCPT TO:<u@dst.example>\nS: 250 ok\n", n))
	b.WriteString("C: DATA\nS: 354 ok\nC: x\nC: .")
	b.WriteString(strings.Repeat("\nS: 250 ok", n))
	against(t, script{text: b.String()}, Options{}, func(c *Client) {
		r := send(t, c, Message{To: To(strings.Split(strings.Repeat("u@dst.example,", n)[:n*14-1], ",")...),
			Content: strings.NewReader("x")})
		for i, o := range r.Recipients {
			if !o.Delivered() {
				t.Fatalf("recipient %d: %+v", i, o)
			}
		}
	})
}

func TestTrace(t *testing.T) {
	var seen bytes.Buffer
	o := Options{Hello: "me.example", Trace: func(dir byte,
		line string) {
		seen.WriteString(string(dir) + ": " + line + "\n")
	}}
	const dialogue = `S: 220 mx.example
C: LHLO me.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<>
C: RCPT TO:<u@dst.example>
C: DATA
S: 250 ok
S: 250 ok
S: 354 ok
C: … (8 octets of content)
C: .
S: 250 stored
`
	wire := strings.Replace(dialogue, "C: … (8 octets of content)", "C: secret", 1)
	against(t, script{text: wire}, o, func(c *Client) {
		send(t, c, Message{To: To("u@dst.example"), Content: strings.NewReader("secret")})
	})
	if d := cmp.Diff(dialogue, seen.String()); d != "" {
		t.Error(d)
	}
}
