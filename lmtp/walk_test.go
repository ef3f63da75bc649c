package lmtp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// A walker goes through one session as chance has it, and knows from a model of a few lines
// what the server must say: the replies are the model's, one for one, and the input is
// consumed exactly, or some command would be taken for content, or content for commands.
type walker struct {
	protocol Protocol
	random   func(n int) int // 0 ≤ random(n) < n

	wire strings.Builder
	want []string

	state    string
	accepted int
	content  strings.Builder
	stored   []string
}

// limit is the message size limit of the walk; small, so that it is met.
const walkLimit = 40

func (w *walker) say(octets string, replies ...string) {
	w.wire.WriteString(octets)
	w.want = append(w.want, replies...)
}

// each returns the replies for the recipients.
func (w *walker) each(reply string) []string {
	if w.protocol == ESMTP {
		return []string{reply}
	}
	all := make([]string, w.accepted)
	for i := range all {
		all[i] = reply
	}
	return all
}

// begin is the session up to its hello.
func (w *walker) begin() {
	w.state = "ready"
	w.say(helloOf(w.protocol)+" c.example\r\n", "220", "250")
}

// end ends the transaction.
func (w *walker) end() {
	w.state, w.accepted = "ready", 0
	w.content.Reset()
}

func (w *walker) step() {
	switch w.random(11) {
	case 0:
		w.mail()
	case 1, 2:
		w.rcpt()
	case 3:
		w.data()
	case 4, 5, 6:
		w.chunk(false)
	case 7, 8:
		w.chunk(true)
	case 9:
		if w.random(3) == 0 { // or few transactions would come to an end
			w.say("RSET\r\n", "250 2.0.0")
			w.end()
		}
	case 10:
		w.say("NOOP\r\n", "250 2.0.0")
	}
}

func (w *walker) mail() {
	if w.state != "ready" {
		w.say("MAIL FROM:<>\r\n", "503 5.5.1")
		return
	}
	w.say("MAIL FROM:<>\r\n", "250 2.1.0")
	w.state = "mail"
}

func (w *walker) rcpt() {
	switch {
	case w.state != "mail" && w.state != "rcpt":
		w.say("RCPT TO:<u@dst.example>\r\n", "503 5.5.1")
	case w.random(3) == 0:
		w.say("RCPT TO:<nx@dst.example>\r\n", "550 5.1.1")
	default:
		w.say(fmt.Sprintf("RCPT TO:<u%d@dst.example>\r\n", w.accepted), "250 2.1.5")
		w.accepted++
		w.state = "rcpt"
	}
}

func (w *walker) data() {
	switch w.state {
	case "rcpt":
		// What looks like commands inside is not any.
		lines := []string{"RSET\r\n", "QUIT\r\n", "BDAT 5 LAST\r\n", "a\r\n", "..b\r\n", "\r\n"}
		w.say("DATA\r\n", "354")
		for range w.random(6) {
			line := lines[w.random(len(lines))]
			w.say(line)
			w.content.WriteString(strings.TrimPrefix(line, "."))
		}
		w.say(".\r\n")
		w.finish()
	case "mail":
		w.say("DATA\r\n", w.noRecipient())
	case "chunk":
		w.say("DATA\r\n", "503 5.5.1")
		w.state = "failed"
	default:
		w.say("DATA\r\n", "503 5.5.1")
	}
}

func (w *walker) noRecipient() string {
	if w.protocol == ESMTP {
		return "554 5.5.1"
	}
	return "503 5.5.1"
}

// chunk is BDAT with octets that would be commands if they were not counted.
func (w *walker) chunk(last bool) {
	const commands = "NOOP\r\nQUIT\r\nMAIL FROM:<>\r\n\r\n.\r\n"
	octets := commands[:w.random(len(commands)+1)]
	octets = strings.TrimSuffix(octets, "\r") // a line end in two chunks is another test's
	line := fmt.Sprintf("BDAT %d", len(octets))
	if last {
		line += " LAST"
	}
	w.say(line + "\r\n" + octets)
	switch {
	case w.state == "ready":
		w.say("", "503 5.5.1")
	case w.state == "mail" && last && w.protocol == LMTP:
		w.end() // no recipient, no reply
	case w.state == "mail":
		w.say("", w.noRecipient())
	case w.state == "failed" && last:
		w.say("", w.each("503 5.5.1")...)
		w.end()
	case w.state == "failed":
		w.say("", "503 5.5.1")
	default:
		w.state = "chunk"
		w.content.WriteString(octets)
		if last {
			w.finish()
		} else if w.content.Len() > walkLimit {
			w.say("", "552 5.3.4")
			w.state = "failed"
		} else {
			w.say("", "250 2.0.0")
		}
	}
}

// finish is the end of content.
func (w *walker) finish() {
	if w.content.Len() > walkLimit {
		w.say("", w.each("552 5.3.4")...)
	} else {
		w.say("", w.each("250 2.0.0")...)
		w.stored = append(w.stored, w.content.String())
	}
	w.end()
}

// walk makes a session of chance and checks it in the given blocks.
func walk(t *testing.T, p Protocol, steps int, random func(int) int) {
	t.Helper()
	w := &walker{protocol: p, random: random}
	w.begin()
	for range steps {
		w.step()
		// The error budget ends a session; it is not what is tested here.
		if failures(w.want) > maxFailures-2 {
			break
		}
	}
	w.say("QUIT\r\n", "221 2.0.0")

	var stored []string
	h := &fakeHandler{onRcpt: func(to string) error {
		if strings.HasPrefix(to, "nx") {
			return &Error{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox"}
		}
		return nil
	}}
	h.onCommit = func(_ context.Context, tx *fakeTx) <-chan error {
		stored = append(stored, tx.content.String())
		return outcomes(make([]error, len(tx.rcpts))...)
	}
	cuts := []byte{byte(random(256)), byte(random(256)), byte(random(4))}
	nc := &recording{Blocks: lmtptest.Blocks{Left: lmtptest.Cut([]byte(w.wire.String()), cuts)}}
	(&Server{Handler: h, Protocol: p, Limits: Limits{MessageSize: walkLimit}, Log: guardtest.Log(t)}).ServeConn(nc)
	h.check(t)

	replies := bufio.NewReader(&nc.said)
	for i := 0; ; i++ {
		r, err := lmtptest.ReadReply(replies)
		if errors.Is(err, io.EOF) && i == len(w.want) {
			break
		}
		if err != nil || i == len(w.want) || codes(r) != w.want[i] {
			t.Fatalf("reply %d is %q (%v), want %q of\n%q", i, r, err, w.want[min(i, len(w.want)):], w.wire.String())
		}
	}
	if strings.Join(stored, "|") != strings.Join(w.stored, "|") {
		t.Fatalf("stored %q, want %q of\n%q", stored, w.stored, w.wire.String())
	}
}

func failures(replies []string) int {
	n := 0
	for _, r := range replies {
		if r < "505" && r >= "500" {
			n++
		}
	}
	return n
}

// TestWalk takes many walks, always the same ones (CHUNK-02, CHUNK-03, LMTP-11).
func TestWalk(t *testing.T) {
	for _, p := range []Protocol{LMTP, ESMTP} {
		t.Run(p.String(), func(t *testing.T) {
			for seed := range uint64(1000) {
				r := rand.New(rand.NewPCG(seed, 3030))
				walk(t, p, 40, r.IntN)
			}
		})
	}
}

// FuzzWalk takes the ways that the octets say.
func FuzzWalk(f *testing.F) {
	f.Add(false, []byte{0, 1, 1, 3, 3, 0, 1, 4, 9, 8, 20})
	f.Add(true, []byte{0, 1, 2, 4, 30, 4, 32, 7, 5, 0, 1, 8})
	f.Fuzz(func(t *testing.T, esmtp bool, way []byte) {
		p := LMTP
		if esmtp {
			p = ESMTP
		}
		walk(t, p, min(len(way), maxIdleCommands), func(n int) int {
			if len(way) == 0 {
				return 0
			}
			next := int(way[0])
			way = way[1:]
			return next % n
		})
	})
}
