package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// A reply is what a ReplyWriter is given.
type reply struct {
	Code           int
	Enhanced, Text string
}

func written(r reply) string {
	var out bytes.Buffer
	w := ReplyWriter{dst: &out}
	w.Write(r.Code, r.Enhanced, r.Text)
	w.Flush()
	return out.String()
}

func TestReplyForm(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
		want  string
	}{
		{"one line", reply{Code: 250, Enhanced: "2.0.0", Text: "ok"}, "250 2.0.0 ok\r\n"},
		{"ESC-02 no enhanced code", reply{Code: 354, Text: "go on"}, "354 go on\r\n"},
		{"no text", reply{Code: 250, Enhanced: "2.0.0"}, "250 2.0.0 \r\n"},
		{"ESC-01 on each line", reply{Code: 214, Enhanced: "2.0.0", Text: "a\nb\nc"},
			"214-2.0.0 a\r\n214-2.0.0 b\r\n214 2.0.0 c\r\n"},
		{"ESC-01 class of the basic code", reply{Code: 550, Enhanced: "4.2.1", Text: "no"}, "550 5.0.0 no\r\n"},
		{"ESC-01 no enhanced code at all", reply{Code: 550, Enhanced: "5.x", Text: "no"}, "550 5.0.0 no\r\n"},
		{"CMD-05 CR", reply{Code: 550, Enhanced: "5.1.1", Text: "a\rb"}, "550 5.1.1 a?b\r\n"},
		{"CMD-05 CRLF does not begin a reply", reply{Code: 550, Enhanced: "5.1.1", Text: "a\r\n250 2.0.0 b"},
			"550-5.1.1 a?\r\n550 5.1.1 250 2.0.0 b\r\n"},
		{"CMD-05 escapes and NUL", reply{Code: 550, Enhanced: "5.1.1", Text: "\x1b[31m\x00\x7f"}, "550 5.1.1 ?[31m??\r\n"},
		{"CMD-05 HT stays", reply{Code: 550, Enhanced: "5.1.1", Text: "a\tb"}, "550 5.1.1 a\tb\r\n"},
		{"UTF8-06 non-ASCII", reply{Code: 550, Enhanced: "5.1.1", Text: "josé\xff"}, "550 5.1.1 jos??\r\n"},
		{"a line end last", reply{Code: 250, Text: "a\n"}, "250-a\r\n250 \r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := written(tt.reply); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// CMD-04: a long text becomes lines of at most 512 octets, and of these a bounded number.
func TestReplyLength(t *testing.T) {
	for _, n := range []int{500, 501, 502, 503, 506, 507, 1004, 1 << 20} {
		t.Run(fmt.Sprint("CMD-04 ", n), func(t *testing.T) {
			r := bufio.NewReader(strings.NewReader(written(reply{Code: 550, Enhanced: "5.7.1", Text: strings.Repeat("x", n)})))
			reply, err := lmtptest.ReadReply(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("more than one reply")
			}
			octets := 0
			for _, line := range reply.Lines {
				octets += len(line) - len("550-5.7.1 ")
			}
			if want := min(n, maxReplyLines*500); octets != want {
				t.Errorf("%d octets of text in %d lines, want %d", octets, len(reply.Lines), want)
			}
		})
	}
}

// After a write error nothing is written, and what is held back does not grow.
func TestWriteErrorStays(t *testing.T) {
	broken := errors.New("broken pipe")
	writes := 0
	w := ReplyWriter{dst: writerFunc(func([]byte) (int, error) { writes++; return 0, broken })}
	for range 10000 {
		w.Write(250, "2.0.0", "ok")
		w.Flush()
	}
	if !errors.Is(w.Flush(), broken) || writes != 1 || cap(w.pending) > maxPending {
		t.Errorf("error %v after %d writes with room for %d octets, want the first error, 1 and little", w.err, writes,
			cap(w.pending))
	}
}

// PIPE-06: replies that nobody waits for are written before they become many.
func TestPendingIsBounded(t *testing.T) {
	var out bytes.Buffer
	w := ReplyWriter{dst: &out}
	most := 0
	for range 100000 {
		w.Write(250, "2.1.5", "recipient ok")
		most = max(most, cap(w.pending))
	}
	w.Flush()
	if n := strings.Count(out.String(), "\r\n"); n != 100000 || most > 2*maxPending {
		t.Errorf("%d replies, %d octets held back at most", n, most)
	}
	if w.pending != nil {
		t.Errorf("a session that waits holds %d octets", cap(w.pending))
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Whatever a reply is made of, what goes out is exactly one reply in good form.
func FuzzReplyWriter(f *testing.F) {
	f.Add(250, "2.0.0", "ok")
	f.Add(550, "5.1.1 x\r\n", "no\r\n250 ok\nétc")
	f.Add(421, "....", strings.Repeat("long ", 1000))
	f.Fuzz(func(t *testing.T, code int, enhanced, text string) {
		code = 200 + int(uint(code)%400)
		if code < 400 && code >= 300 {
			enhanced = ""
		}
		bare := enhanced == ""
		out := written(reply{Code: code, Enhanced: enhanced, Text: text})
		lines := strings.SplitAfter(strings.TrimSuffix(out, "\r\n"), "\r\n")
		for i, line := range lines {
			// A bare reply, a hello's, has a form of its own that ReadReply does not take for
			// each code; line by line both are alike.
			whole := strings.TrimSuffix(line, "\r\n") + "\r\n"
			want := fmt.Sprintf("%d-", code)
			if i == len(lines)-1 {
				want = fmt.Sprintf("%d ", code)
			}
			if !strings.HasPrefix(whole, want) || len(whole) > 512 || !tidy(whole[:len(whole)-2]) {
				t.Fatalf("line %d of %q", i, out)
			}
		}
		if bare {
			return
		}
		r := bufio.NewReader(strings.NewReader(out))
		if reply, err := lmtptest.ReadReply(r); err != nil || reply.Code != code || reply.Enhanced == "" {
			t.Fatalf("%+v, %v from %q", reply, err, out)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Fatalf("more than one reply: %q", out)
		}
	})
}

// tidy: HT, SP and printable ASCII (RFC 5321 §4.2).
func tidy(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '\t' && (r < ' ' || r > '~') })
}
