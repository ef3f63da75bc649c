package lmtptest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// patience is how long a reply may take before a test gives up.
const patience = 30 * time.Second

// A Delivery says in which portions the client's octets go out.
type Delivery int

// The ways to send.
const (
	LockStep Delivery = iota // each line when the replies before it have come
	OneWrite                 // the whole session at once
	Octets                   // octet for octet
)

// String names the way for subtests.
func (d Delivery) String() string { return [...]string{"lock-step", "one write", "octets"}[d] }

// Play plays the script on a connection and returns the first thing that was not as
// expected. It goes on reading until the connection is closed, so that the server may say
// goodbye on a pipe, which has no buffer.
func (s *Script) Play(nc net.Conn, how Delivery) error {
	nc.SetDeadline(time.Now().Add(patience))
	sender := newSender(nc, how)
	defer sender.close()
	replies := bufio.NewReader(nc)
	defer func() { go io.Copy(io.Discard, replies) }()
	for i, step := range s.Steps {
		if err := s.play(step, i, sender, replies); err != nil {
			return fmt.Errorf("%s:%d: %w", s.Name, step.Line, err)
		}
	}
	return nil
}

func (s *Script) play(step Step, i int, sender *sender, replies *bufio.Reader) error {
	switch {
	case step.Closed:
		if b, err := replies.ReadByte(); err == nil {
			return fmt.Errorf("connection is open, and says %q", b)
		} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) && !isReset(err) {
			return err
		}
		return nil
	case step.Expect != nil:
		r, err := ReadReply(replies)
		if err != nil {
			return fmt.Errorf("want %d %s: %w", step.Expect.Code, step.Expect.Enhanced, err)
		}
		return step.Expect.match(r)
	case sender.how == OneWrite:
		if s.firstSend() == i {
			sender.send(s.Sent())
		}
		return nil
	default:
		sender.send(step.Send)
		return nil
	}
}

func (s *Script) firstSend() int {
	for i, step := range s.Steps {
		if step.Send != "" {
			return i
		}
	}
	return -1
}

// Sent is all that the client sends.
func (s *Script) Sent() string {
	var all string
	for _, step := range s.Steps {
		all += step.Send
	}
	return all
}

// isReset is what a socket says when the server closed it with something unread.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// A sender sends in its own goroutine, because a pipe has no buffer: the client must be able
// to read while it writes.
type sender struct {
	how   Delivery
	queue chan string
}

func newSender(nc net.Conn, how Delivery) *sender {
	s := &sender{how: how, queue: make(chan string, 10000)}
	go func() {
		for octets := range s.queue {
			portion := len(octets)
			if how == Octets {
				portion = 1
			}
			for ; octets != ""; octets = octets[portion:] {
				// A server may hang up in the middle; what it said before is what counts.
				if _, err := io.WriteString(nc, octets[:portion]); err != nil {
					break
				}
			}
		}
	}()
	return s
}

func (s *sender) send(octets string) { s.queue <- octets }

func (s *sender) close() { close(s.queue) }
