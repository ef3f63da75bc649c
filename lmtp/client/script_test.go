package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A script is a server's side of a dialogue, one step a line: "C: line" is awaited, "S: line"
// is sent, "R: quoted" sends octets as they are, "W: 1h" stops reading that long (for synctest)
// and closes, "X" closes the connection. Where it does not end in X, the server reads to the end
// and complains about anything that comes.
type script struct {
	text  string
	chunk int // octets a write, 0 for whole steps
}

// play serves the script on conn; the channel yields what went wrong, and is closed at the end.
func (s script) play(conn net.Conn) <-chan error {
	done := make(chan error, 1)
	go func() {
		defer close(done)
		defer conn.Close()
		if err := s.run(conn); err != nil {
			done <- err
		}
	}()
	return done
}

func (s script) run(conn net.Conn) error {
	in := bufio.NewReader(conn)
	for _, step := range strings.Split(strings.Trim(s.text, "\n"), "\n") {
		kind, text, _ := strings.Cut(strings.TrimLeft(step, "\t"), ": ")
		switch kind {
		case "":
		case "C":
			line, err := in.ReadString('\n')
			if err != nil || line != text+"\r\n" {
				return fmt.Errorf("server got %q (%v), want %q", line, err, text)
			}
		case "S":
			if err := s.send(conn, text+"\r\n"); err != nil {
				return fmt.Errorf("server sending %q: %w", text, err)
			}
		case "R": // raw: no line end, Go escapes
			var raw string
			if _, err := fmt.Sscanf(text, "%q", &raw); err != nil {
				return err
			}
			if err := s.send(conn, raw); err != nil {
				return fmt.Errorf("server sending %q: %w", raw, err)
			}
		case "W": // wait without reading
			pause, err := time.ParseDuration(text)
			if err != nil {
				return err
			}
			time.Sleep(pause)
			return nil
		case "X":
			return nil
		default:
			return fmt.Errorf("step %q of the script", step)
		}
	}
	rest, err := io.ReadAll(in)
	if len(rest) > 0 {
		return fmt.Errorf("server got %q (%v) after the script", rest, err)
	}
	return nil
}

func (s script) send(conn net.Conn, text string) error {
	size := len(text)
	if s.chunk > 0 {
		size = s.chunk
	}
	for len(text) > 0 {
		n := min(size, len(text))
		if _, err := io.WriteString(conn, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// against runs a client against a script and checks both sides.
func against(t *testing.T, s script, o Options, use func(*Client)) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := s.play(theirs)
	c, err := New(t.Context(), ours, o)
	if err != nil {
		t.Fatalf("New: %v; script: %v", err, <-done)
	}
	use(c)
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// send sends a message that must not meet an error of the connection.
func send(t *testing.T, c *Client, m Message) *Result {
	t.Helper()
	r, err := c.Send(context.Background(), m)
	if err != nil {
		t.Fatalf("Send: %v", err)
	}
	return r
}

const lhlo = `
S: 220 mx.example LMTP ready
C: LHLO localhost
S: 250-mx.example
S: 250-PIPELINING
S: 250-ENHANCEDSTATUSCODES
S: 250-8BITMIME
S: 250-SMTPUTF8
S: 250 SIZE 1000
`
