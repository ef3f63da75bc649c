package peer

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A sink is just enough of an LMTP server to see what a client says. Recipients whose local
// part is "nobody" do not exist.
type sink struct {
	socket string

	mu       sync.Mutex
	commands []string // MAIL and RCPT lines
	contents []string // as sent, transparency dots included
}

func startSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{socket: filepath.Join(Dir(t), "lmtp")}
	l, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.socket, 0o666); err != nil { // Postfix connects as its own user
		t.Fatal(err)
	}
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		sessions.Wait() // the peers are stopped by now
	})
	return s
}

func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	accepted := 0
	reply := "220 sink LMTP"
	for {
		if _, err := io.WriteString(conn, reply+"\r\n"); err != nil {
			return
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		switch verb, _, _ := strings.Cut(line, " "); strings.ToUpper(verb) {
		case "LHLO":
			reply = "250-sink\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 52428800"
		case "MAIL":
			s.note(line)
			accepted, reply = 0, "250 2.1.0 fine"
		case "RCPT":
			s.note(line)
			reply = "550 5.1.1 no such mailbox"
			if !strings.HasPrefix(line, "RCPT TO:<nobody@") {
				accepted++
				reply = "250 2.1.5 fine"
			}
		case "DATA":
			reply = "503 5.5.1 no recipient"
			if accepted > 0 && s.data(conn, in) {
				reply = strings.TrimSuffix(strings.Repeat("250 2.0.0 taken\r\n", accepted), "\r\n")
			}
		case "QUIT":
			_, _ = io.WriteString(conn, "221 2.0.0 bye\r\n")
			return
		default:
			reply = "250 2.0.0 fine"
		}
	}
}

func (s *sink) data(conn net.Conn, in *bufio.Reader) bool {
	if _, err := io.WriteString(conn, "354 go on\r\n"); err != nil {
		return false
	}
	var b strings.Builder
	for !strings.HasSuffix("\r\n"+b.String(), "\r\n.\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		b.WriteString(line)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contents = append(s.contents, strings.TrimSuffix(b.String(), ".\r\n"))
	return true
}

func (s *sink) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, line)
}

// got returns what came so far.
func (s *sink) got() (commands, contents []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...), append([]string(nil), s.contents...)
}
