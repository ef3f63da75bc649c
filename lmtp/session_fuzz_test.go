package lmtp

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// A recording is a connection whose client has said everything beforehand, in blocks, and
// then goes. What the server says is kept.
type recording struct {
	lmtptest.Blocks
	said bytes.Buffer
}

func (r *recording) Write(p []byte) (int, error)      { return r.said.Write(p) }
func (r *recording) Close() error                     { return nil }
func (r *recording) LocalAddr() net.Addr              { return nil }
func (r *recording) RemoteAddr() net.Addr             { return &net.UnixAddr{Net: "unix"} }
func (r *recording) SetDeadline(time.Time) error      { return nil }
func (r *recording) SetReadDeadline(time.Time) error  { return nil }
func (r *recording) SetWriteDeadline(time.Time) error { return nil }

// starts is where a fuzzed session begins.
var starts = [...]struct {
	protocol Protocol
	said     string
}{
	{LMTP, ""},
	{LMTP, "LHLO c\r\n"},
	{LMTP, "LHLO c\r\nMAIL FROM:<>\r\n"},
	{LMTP, "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\nRCPT TO:<nx@dst.example>\r\nRCPT " +
		"TO:<u2@dst.example>\r\n"},
	{LMTP, "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\nRCPT TO:<u2@dst.example>\r\nDATA\r\n"},
	{ESMTP, ""},
	{ESMTP, "EHLO c\r\n"},
	{ESMTP, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\nRCPT TO:<u2@dst.example>\r\nDATA\r\n"},
	{ESMTP, "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\n"},
}

// played is a whole session: what was said, and what the Handler saw.
func played(t *testing.T, protocol Protocol, wire, cuts []byte) (string, *fakeHandler) {
	h := &fakeHandler{onRcpt: func(to string) error {
		if strings.HasPrefix(to, "nx") {
			return errGone
		}
		return nil
	}}
	nc := &recording{Blocks: lmtptest.Blocks{Left: lmtptest.Cut(wire, cuts)}}
	s := &Server{
		Handler: h, Protocol: protocol, Hostname: "mx.dst.example", Limits: Limits{MessageSize: 10000}, Log: guardtest.Log(t),
	}
	s.ServeConn(nc)
	return nc.said.String(), h
}

// FuzzSession sends octets from several points of a session on. Whatever they are: every
// line that comes back belongs to a reply in good form; what the Handler saw and what the
// client was answered agree; content is committed only where a true end of data was sent; and
// nothing depends on how the octets were cut into packets.
func FuzzSession(f *testing.F) {
	files, err := filepath.Glob("../testdata/sessions/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		script, err := lmtptest.Read(file)
		if err != nil {
			f.Fatal(err)
		}
		start := byte(0)
		if script.Protocol == "esmtp" {
			start = 5
		}
		var sent strings.Builder
		for _, step := range script.Steps {
			sent.WriteString(step.Send)
		}
		f.Add(start, []byte(sent.String()), []byte{1})
	}
	f.Add(byte(4), []byte("x\r\n..\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\n"), []byte{3, 1})
	f.Add(byte(4), []byte("x\n.\nRSET\r\n.\r\nQUIT\r\n"), []byte{2})
	f.Add(byte(3), []byte("BDAT 3\r\na\r\nBDAT 0 LAST\r\nBDAT 5 LAST\r\nhelloNOOP\r\n"), []byte{7})
	f.Fuzz(func(t *testing.T, start byte, octets, cuts []byte) {
		from := starts[int(start)%len(starts)]
		checkSession(t, from.protocol, append([]byte(from.said), octets...), cuts)
	})
}

// TestSentences is FuzzSession for sessions that are made of what a session is made of, in
// any order.
func TestSentences(t *testing.T) {
	words := []string{
		"LHLO c\r\n", "EHLO c\r\n", "HELO c\r\n", "RSET\r\n", "NOOP\r\n", "QUIT\r\n", "VRFY u\r\n",
		"MAIL FROM:<a@src.example>\r\n", "MAIL FROM:<> PRDR\r\n", "MAIL FROM:<> SMTPUTF8\r\n", "MAIL FROM:<\r\n",
		"RCPT TO:<u1@dst.example>\r\n", "RCPT TO:<u2@dst.example>\r\n", "RCPT TO:<nx@dst.example>\r\n", "RCPT TO:<u@>\r\n",
		"DATA\r\n", "DATA\r\n", "data \r\n", "x\r\n.\r\n", ".\r\n", "..\r\n", ".\n", "\n.\r\n", "\r.\r\n", "\r\n", "\r", "\n",
		".",
		"a\r\n..b\r\n\r\n.\r\n", "BDAT 3\r\na\r\n", "BDAT 0 LAST\r\n", "BDAT 4 last\r\nb\nc\n", "BDAT 5 LAST\r\nhell",
		"BDAT 7\r\nNOOP\r\n\r", "BDAT 1 FIRST\r\nx", "BDAT x\r\n", "STARTTLS\r\n", "AUTH PLAIN =\r\n", "XCLIENT NAME=x\r\n",
		strings.Repeat("y", 5000) + "\r\n", strings.Repeat("z\r\n", 4000), "\x16\x03\x01", "\xff\x00",
	}
	r := rand.New(rand.NewPCG(5321, 2033))
	for range 700 {
		from := starts[r.IntN(len(starts))]
		wire := []byte(from.said)
		for range r.IntN(30) {
			wire = append(wire, words[r.IntN(len(words))]...)
		}
		checkSession(t, from.protocol, wire, []byte{byte(r.IntN(256)), byte(r.IntN(8)), byte(r.IntN(256))})
		if t.Failed() {
			return
		}
	}
}

// checkSession plays a session as a whole and in blocks.
func checkSession(t *testing.T, protocol Protocol, sent, cuts []byte) {
	t.Helper()
	said, h := played(t, protocol, sent, nil)
	h.check(t)
	checkReplies(t, protocol, said, h, bytes.Contains(bytes.ToUpper(sent), []byte("BDAT")))
	for _, tx := range h.txs {
		if tx.commits > 0 && !sentWhole(sent, tx.content.String()) {
			t.Errorf("committed %q, which was not sent so in %q", tx.content.String(), sent)
		}
	}
	again, h2 := played(t, protocol, sent, cuts)
	h2.check(t)
	if got, want := nameless(again), nameless(said); got != want && len(sent) < wire.MaxSkipped {
		t.Errorf("%.2000q cut by %v: server said\n%s\nand in one piece\n%s", sent, cuts, got, want)
	}
}

var sessionID = regexp.MustCompile(`[0-9a-hjkmnp-tv-z]{13}\.`)

// nameless is what a session said without its random name.
func nameless(said string) string { return sessionID.ReplaceAllString(said, "ID.") }

// checkReplies compares what was said with what the Handler saw.
func checkReplies(t *testing.T, protocol Protocol, said string, h *fakeHandler, chunked bool) {
	t.Helper()
	count := map[string]int{}
	outcomes := map[string]int{} // by transaction
	r := bufio.NewReader(strings.NewReader(said))
	for {
		reply, err := lmtptest.ReadReply(r)
		if err == io.EOF && len(reply.Lines) == 0 {
			break
		}
		if err != nil {
			t.Fatalf("%v in %q", err, said)
		}
		count[codes(reply)]++
		for _, tx := range h.txs {
			text := reply.String()
			if strings.Contains(text, tx.env.ID+" delivered") ||
				strings.Contains(text, "["+tx.env.ID+"]") && codes(reply) != "550 5.1.1" {
				outcomes[tx.env.ID]++
			}
		}
	}
	accepted := 0
	for _, tx := range h.txs {
		accepted += len(tx.rcpts)
		want := len(tx.rcpts)
		switch {
		case tx.commits == 0 && tx.aborts[0] == nil:
			want = 0
		case protocol == ESMTP && tx.env.PRDR:
			want++
		case protocol == ESMTP:
			want = 1
		}
		// A message in chunks that has failed is answered at the chunk, and its recipients
		// by 503.
		if got := outcomes[tx.env.ID]; got != want && !(chunked && tx.commits == 0) {
			t.Errorf("%d outcomes of a transaction with %d recipients, want %d, in %q", got, len(tx.rcpts), want, said)
		}
	}
	if count["250 2.1.0"] != len(h.txs) || count["250 2.1.5"] != accepted {
		t.Errorf("%d MAIL and %d RCPT were answered 250, the Handler took %d and %d, in %q",
			count["250 2.1.0"], count["250 2.1.5"], len(h.txs), accepted, said)
	}
}

var (
	dataLine = regexp.MustCompile(`(?im)^DATA[ \t]*\r\n`)
	lastLine = regexp.MustCompile(`(?i)BDAT +[0-9]+ +LAST[ \t]*\r\n`)
)

// sentWhole reports whether content with a true end of data stands somewhere after a DATA
// command, by the reference; a last chunk ends anywhere.
func sentWhole(wire []byte, content string) bool {
	for _, at := range dataLine.FindAllIndex(wire, -1) {
		d := lmtptest.Decode(string(wire[at[1]:]), false)
		if d.End >= 0 && d.Content == content && !d.BareLF {
			return true
		}
	}
	return lastLine.Match(wire)
}
