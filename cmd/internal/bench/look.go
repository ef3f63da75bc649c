package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// look puts the load on by clients of our own, which take the time of each message, and watches
// the memory meanwhile.
func (s *server) look(ctx context.Context, l Load, messages int) (detail, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	clients, err := s.dial(ctx, min(l.Sessions, messages))
	defer hangUp(clients)
	if err != nil {
		return detail{}, err
	}
	free := make(chan *client.Client, len(clients))
	for _, c := range clients {
		free <- c
	}
	peak := watchMemory(s.process.Pid())
	content := body(l.Size)
	times, err := inSessions(len(clients), messages, func(message int) error {
		c := <-free
		defer func() { free <- c }()
		return send(ctx, c, l, message, content)
	})
	memory := peak()
	return detail{p50: percentile(times, 50), p99: percentile(times, 99), memory: memory}, err
}

// dial opens connections, and gives those it has with the error.
func (s *server) dial(ctx context.Context, n int) ([]*client.Client, error) {
	var clients []*client.Client
	for range n {
		c, err := client.Dial(ctx, "unix:"+s.socket, client.Options{Hello: "client.example", Timeout: time.Minute})
		if err != nil {
			return clients, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

func hangUp(clients []*client.Client) {
	for _, c := range clients {
		_ = c.Close() // whatever it was for is done
	}
}

// send sends one message; whoever of its recipients does not get it is an error.
func send(ctx context.Context, c *client.Client, l Load, message int, content string) error {
	to := make([]string, l.Recipients)
	for i := range to {
		local := l.Box
		if local == "" {
			local = fmt.Sprintf("%du", (message*l.Recipients+i)%(mailboxes*aliases)+1)
		}
		to[i] = local + "@" + domain
	}
	m := client.Message{From: "sender@client.example", To: to, Content: io.Reader(strings.NewReader(content))}
	result, err := c.Send(ctx, m)
	if err != nil {
		return err
	}
	for _, r := range result.Recipients {
		if !r.Delivered() {
			return errors.New(r.To + ": " + fmt.Sprint(r.Final))
		}
	}
	return nil
}

// body is a message like those of smtp-source.
func body(size int) string {
	return "From: <sender@client.example>\r\nTo: <u@" + domain + ">\r\nSubject: from bench\r\n\r\n" +
		strings.Repeat(strings.Repeat("X", 78)+"\r\n", size/80)
}

// percentile returns the value that p in a hundred are not above.
func percentile(times []time.Duration, p int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)-1)*p/100]
}
