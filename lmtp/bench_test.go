package lmtp

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// message is 4 KB of text in lines of 64 octets, and its end.
var message = strings.Repeat(strings.Repeat("x", 62)+"\r\n", 64) + ".\r\n"

// BenchmarkMessage is a message through an open session, with a client in lock-step as MTAs
// are without PIPELINING, and in two writes as they are with it.
func BenchmarkMessage(b *testing.B) {
	envelope := []string{"MAIL FROM:<a@src.example> SIZE=4096\r\n", "RCPT TO:<u1@dst.example>\r\n", "DATA\r\n"}
	for _, bench := range []struct {
		name   string
		writes []string
	}{
		{"lock-step", append(envelope, message)},
		{"pipelined", []string{strings.Join(envelope, ""), message}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			client, server := socketPair(b)
			go (&Server{Handler: frugal{make(chan error, 1)}}).ServeConn(server)
			replies := bufio.NewReader(client)
			skip := func(n int) {
				for n > 0 {
					line, err := replies.ReadSlice('\n')
					if err != nil {
						b.Fatal(err)
					}
					if line[3] == ' ' {
						n--
					}
				}
			}
			skip(1)
			io.WriteString(client, "LHLO c.example\r\n")
			skip(1)
			writes := make([][]byte, len(bench.writes))
			for i, w := range bench.writes {
				writes[i] = []byte(w)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				for _, w := range writes {
					if _, err := client.Write(w); err != nil {
						b.Fatal(err)
					}
					skip(bytes.Count(w, []byte("MAIL")) + bytes.Count(w, []byte("RCPT")) + bytes.Count(w, []byte("DATA")))
				}
				skip(1)
			}
		})
	}
}

// socketPair returns two ends of a connection. A pipe would not do: it allocates for deadlines.
func socketPair(b testing.TB) (near, far net.Conn) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		if ends[i], err = net.FileConn(f); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	b.Cleanup(func() { ends[0].Close() })
	return ends[0], ends[1]
}

// A frugal handler serves one session with a recipient for each message, and has nothing on the heap for
// them: what is counted is the package's.
type frugal struct{ out chan error }

func (f frugal) Mail(context.Context, *Session, *Envelope) (Transaction, error) { return f, nil }
func (f frugal) Rcpt(context.Context, *Recipient) error                         { return nil }
func (f frugal) Write(p []byte) (int, error)                                    { return len(p), nil }
func (f frugal) Abort(error)                                                    {}
func (f frugal) Commit(context.Context) <-chan error {
	f.out <- nil
	return f.out
}

// TestFewAllocations: a message of 4 KB costs less than ten.
func TestFewAllocations(t *testing.T) {
	client, server := socketPair(t)
	go (&Server{Handler: frugal{make(chan error, 1)}}).ServeConn(server)
	replies := bufio.NewReader(client)
	say := func(line []byte, last string) {
		if _, err := client.Write(line); err != nil {
			t.Fatal(err)
		}
		for {
			if reply, err := replies.ReadSlice('\n'); err != nil {
				t.Fatal(err)
			} else if bytes.HasPrefix(reply, []byte(last)) {
				return
			}
		}
	}
	say([]byte("LHLO c.example\r\n"), "250 ")
	envelope := []byte("MAIL FROM:<a@src.example> SIZE=4096\r\nRCPT TO:<u1@dst.example>\r\nDATA\r\n")
	content := []byte(message)
	got := testing.AllocsPerRun(200, func() {
		say(envelope, "354 ")
		say(content, "250 ")
	})
	if got >= 10 {
		t.Errorf("%v allocations", got)
	}
}

// BenchmarkSession is a session of one message, without the connection: the conn, its buffers
// and its hello included.
func BenchmarkSession(b *testing.B) {
	said := []byte("LHLO c.example\r\nMAIL FROM:<a@src.example>\r\nRCPT TO:<u1@dst.example>\r\nDATA\r\n" + message +
		"QUIT\r\n")
	s := &Server{Handler: nullHandler{}}
	b.ReportAllocs()
	for b.Loop() {
		nc := &recording{Blocks: lmtptest.Blocks{Left: [][]byte{said}}}
		s.ServeConn(nc)
		if !bytes.Contains(nc.said.Bytes(), []byte("delivered")) {
			b.Fatalf("not delivered: %s", nc.said.String())
		}
	}
}

func BenchmarkCommand(b *testing.B) {
	for _, line := range []string{"NOOP", "MAIL FROM:<a@src.example> SIZE=4096 BODY=8BITMIME",
		"RCPT TO:<u1@dst.example>"} {
		b.Run(line[:4], func(b *testing.B) {
			s := &Server{Handler: nullHandler{}, Limits: Limits{Recipients: 1 << 40}}
			s.init()
			c := newConn(s, &recording{})
			c.dispatch([]byte("LHLO c.example"))
			if line[:4] == "RCPT" {
				c.dispatch([]byte("MAIL FROM:<>"))
			}
			command := []byte(line)
			b.ReportAllocs()
			for b.Loop() {
				if r := c.dispatch(command); r.Code != 250 {
					b.Fatal(r)
				}
				if line[:4] == "MAIL" {
					c.abort(nil)
				}
			}
		})
	}
}
