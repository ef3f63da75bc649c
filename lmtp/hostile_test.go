package lmtp

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// Clients that mean no good, or know no better (S18).

// live is how much memory is in use, heap and stacks, when nothing else could be given back.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// allocated is how much memory was ever asked for.
func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// repeated is s, n times.
type repeated struct {
	s    string
	n    int
	part string
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.part == "" && r.n == 0 {
			return n, io.EOF
		}
		if r.part == "" {
			r.n--
			r.part = r.s
		}
		copied := copy(p[n:], r.part)
		r.part = r.part[copied:]
		n += copied
	}
	return n, nil
}

// overTCP is a connection to s by TCP on the loopback, and what ends both.
func overTCP(t *testing.T, s *Server) (nc *net.TCPConn, end func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Log = guardtest.Watch(t, s.Log)
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(l)
	}()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(time.Minute))
	end = sync.OnceFunc(func() {
		client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		<-served
	})
	t.Cleanup(end)
	return client.(*net.TCPConn), end
}

// readAll reads replies until the connection ends, and counts them by their codes.
func readAll(t *testing.T, nc net.Conn) (count map[string]int, last string) {
	t.Helper()
	count = map[string]int{}
	replies := bufio.NewReader(nc)
	for {
		r, err := lmtptest.ReadReply(replies)
		if err != nil {
			return count, last // a reset is an end too: the server left what it did not want to read
		}
		last = codes(r)
		count[last]++
	}
}

func TestMillionCommands(t *testing.T) {
	for name, tt := range map[string]struct {
		command string
		reply   string
	}{
		"CMD-17 RSET":           {"RSET\r\n", "250 2.0.0"},
		"CMD-17 NOOP":           {"NOOP\r\n", "250 2.0.0"},
		"CMD-17 VRFY":           {"VRFY u1\r\n", "252 2.0.0"},
		"CMD-17 wrong hello":    {"HELO\r\n", "500"},
		"CMD-17 XFORWARD":       {"XFORWARD ADDR=192.0.2.1\r\n", "250 2.0.0"},
		"CMD-17 long lines":     {strings.Repeat("x", 5000) + "\r\n", "500 5.5.2"},
		"CMD-17 no end of line": {strings.Repeat("x", 5000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &fakeHandler{}
			nc, _ := overTCP(t, &Server{Handler: h, Peers: Peers{Trusted: func(net.Conn) bool { return true }}})
			before := allocated()
			go func() {
				io.WriteString(nc, "LHLO c.example\r\n")
				io.Copy(nc, &repeated{s: tt.command, n: 1_000_000}) // until the server has had enough
			}()
			count, last := readAll(t, nc)
			if n := count[tt.reply]; n > maxIdleCommands+1 || tt.reply != "" && n < maxFailures {
				t.Errorf("%d × %q", n, tt.reply)
			}
			// The 421 may be lost with the reset of a connection that has octets unread.
			if last != "421 4.7.0" && last != tt.reply && last != "250" {
				t.Errorf("last reply %q", last)
			}
			if used := allocated() - before; used > 4<<20 {
				t.Errorf("%d octets were asked for, want the session cut before", used)
			}
		})
	}
}

// A hundred thousand recipients in one write: each gets its reply, memory does not grow with
// them, and the log has a line and not a hundred thousand.
func TestManyRecipientsPipelined(t *testing.T) {
	const n = 100_000
	var log syncBuffer
	h := &fakeHandler{}
	s := &Server{Handler: h, Log: slog.New(slog.NewTextHandler(&log, nil))}
	nc, _ := overTCP(t, s)
	before := live()
	go func() {
		io.WriteString(nc, "LHLO c.example\r\nMAIL FROM:<>\r\n")
		io.Copy(nc, &repeated{s: "RCPT TO:<u1@dst.example>\r\n", n: n})
		io.WriteString(nc, "VRFY x\r\n")
	}()
	count := map[string]int{}
	for replies := bufio.NewReader(nc); count["252 2.0.0"] == 0; {
		r, err := lmtptest.ReadReply(replies)
		if err != nil {
			t.Fatal(err)
		}
		count[codes(r)]++
	}
	if count["250 2.1.5"] != 1000 || count["452 4.5.3"] != n-1000 {
		t.Errorf("replies %v", count)
	}
	if grown := live() - before; grown > 2<<20 {
		t.Errorf("memory grew by %d octets", grown)
	}
	if lines := strings.Count(log.String(), "limit=recipients"); lines != 1 {
		t.Errorf("%d lines in the log, want one", lines)
	}
}

// PIPE-06: who does not read is not read either, holds up nobody else, and is cut off.
func TestClientThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: nullHandler{}, Log: guardtest.Log(t)}
		client, server := net.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			s.ServeConn(server)
		}()
		replies := bufio.NewReader(client)
		lmtptest.ReadReply(replies)
		begun := time.Now()
		taken := make(chan int64, 1)
		go func() {
			io.WriteString(client, "LHLO c.example\r\nMAIL FROM:<>\r\n")
			n, _ := io.Copy(client, &repeated{s: "RCPT TO:<u1@dst.example>\r\n", n: 1_000_000})
			taken <- n
		}()
		synctest.Wait()

		other := inData(t, s, "u1")
		other.say("x", ".")
		other.expect("250 2.0.0")
		took(t, begun, 0)
		other.quit()

		<-served
		took(t, begun, 5*time.Minute)
		if n := <-taken; n > 64<<10 {
			t.Errorf("the server took %d octets of a client that does not read", n)
		}
		client.Close()
	})
}

// A client that has said all it has to say may close its side before it is answered.
func TestHalfClosed(t *testing.T) {
	h := &fakeHandler{}
	nc, end := overTCP(t, &Server{Handler: h})
	io.WriteString(nc, "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\nRCPT "+
		"TO:<u2@dst.example>\r\nDATA\r\nx\r\n.\r\n")
	if err := nc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	count, last := readAll(t, nc)
	if count["354"] != 1 || count["250 2.0.0"] != 2 || last != "250 2.0.0" {
		t.Errorf("replies %v", count)
	}
	end()
	h.check(t)
}

// A client that closes its side in the middle of content gets no outcome, and nothing stays.
func TestHalfClosedInContent(t *testing.T) {
	for name, content := range map[string]string{"DATA": "DATA\r\nx\r\n.\r", "BDAT": "BDAT 5 LAST\r\nx\r\n"} {
		t.Run(name, func(t *testing.T) {
			h := &fakeHandler{}
			nc, end := overTCP(t, &Server{Handler: h})
			io.WriteString(nc, "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\n"+content)
			if err := nc.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			count, _ := readAll(t, nc)
			end()
			if count["250 2.0.0"] != 0 || len(h.only(t).aborts) != 1 {
				t.Errorf("replies %v", count)
			}
			h.check(t)
		})
	}
}

// Content that comes, but takes for ever, has an end: that of the whole transfer.
func TestTransferTimeout(t *testing.T) {
	for name, send := range map[string]struct {
		first, again string
		reply        string // to each again
	}{
		"S18 DATA an octet at a time":  {"DATA\r\n", "x", ""},
		"S18 BDAT an octet at a time":  {"BDAT 9000\r\n", "x", ""},
		"S18 BDAT a chunk at a time":   {"BDAT 1\r\nx", "BDAT 1\r\nx", "250 2.0.0"},
		"S18 BDAT and then only NOOPs": {"BDAT 1\r\nx", "NOOP\r\n", "250 2.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHandler{}
				var log syncBuffer
				d := opened(t, &Server{Handler: h, Log: slog.New(slog.NewTextHandler(&log, nil))})
				d.say("MAIL FROM:<>", "RCPT TO:<u1@dst.example>")
				d.expect("250 2.1.0", "250 2.1.5")
				begun := time.Now()
				d.send(send.first)
				if send.reply == "" && strings.HasPrefix(send.first, "DATA") {
					d.expect("354")
				} else if send.reply != "" {
					d.expect("250 2.0.0")
				}
				for range 14 { // 56 minutes
					time.Sleep(4 * time.Minute)
					d.send(send.again)
					if send.reply != "" {
						d.expect(send.reply)
					}
				}
				d.expect("421 4.4.2")
				took(t, begun, time.Hour)
				d.expectClosed()
				if !strings.Contains(log.String(), "limit=transfer_timeout") {
					t.Errorf("log %q", log.String())
				}
				h.check(t)
			})
		})
	}
}

// The bound is for one message: the next has its own.
func TestTransferTimeoutIsForEachMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, &Server{Handler: nullHandler{}})
		for range 3 {
			d.say("MAIL FROM:<>", "RCPT TO:<u1@dst.example>", "DATA")
			d.expect("250 2.1.0", "250 2.1.5", "354")
			for range 10 {
				time.Sleep(4 * time.Minute)
				d.say("x")
			}
			d.say(".")
			d.expect("250 2.0.0")
		}
		d.quit()
	})
}

// An idle session is cheap: ten thousand of them are nothing to speak of.
func TestIdleSessionsAreCheap(t *testing.T) {
	const n = 500
	s := &Server{Handler: nullHandler{}}
	before := live()
	sessions := make([]*dialogue, n)
	for i := range sessions {
		sessions[i] = opened(t, s)
	}
	if each := (live() - before) / n; each > 32<<10 {
		t.Errorf("%d octets for an idle session and its client", each)
	}
	for _, d := range sessions {
		d.hangUp()
	}
}
