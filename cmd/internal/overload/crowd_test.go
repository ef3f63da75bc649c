package overload

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A crowd is clients that do the server no good. They come from addresses of their own.
type crowd struct {
	server string
	peers  int // how many addresses they have

	offered, taken, refused, ended, begun, delivered atomic.Int64
	running                                          sync.WaitGroup
}

// dialAtOnce is how many of them connect at the same time.
const dialAtOnce = 64

// dial connects as client n and reports whether it was greeted; the connection is nil if not.
func (c *crowd) dial(ctx context.Context, n int) (*client, error) {
	dialer := net.Dialer{
		Timeout:   30 * time.Second,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(n%c.peers/250), 1+byte(n%c.peers%250))},
	}
	c.offered.Add(1)
	conn, err := dialer.DialContext(ctx, "tcp", c.server)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	p := &client{Conn: conn, replies: bufio.NewReaderSize(conn, 512)}
	greeting, err := p.reply()
	switch {
	case err != nil:
	case strings.HasPrefix(greeting, "220"):
		c.taken.Add(1)
		return p, nil
	case strings.HasPrefix(greeting, "421"):
		c.refused.Add(1)
	default:
		err = fmt.Errorf("greeted with %q", greeting)
	}
	conn.Close()
	return nil, err
}

// A client is one connection of the crowd.
type client struct {
	net.Conn
	replies *bufio.Reader
}

// reply reads a reply to its last line.
func (p *client) reply() (string, error) {
	for {
		line, err := p.replies.ReadString('\n')
		if err != nil || len(line) < 4 || line[3] != '-' {
			return line, err
		}
	}
}

// say sends lines and expects a reply to each that begins so.
func (p *client) say(lines string, want ...string) error {
	if _, err := p.Write([]byte(lines)); err != nil {
		return err
	}
	for _, code := range want {
		if got, err := p.reply(); err != nil || !strings.HasPrefix(got, code) {
			return fmt.Errorf("%.40q: %q, %w", lines, got, err)
		}
	}
	return nil
}

// each connects n clients, a few at a time, and has each that was greeted do something in a goroutine of its own. It
// returns when all have called ready or have ended, which is counted if it is not for ctx.
func (c *crowd) each(ctx context.Context, n int, do func(p *client, ready func()) error) {
	var connecting sync.WaitGroup
	next := make(chan int)
	for range dialAtOnce {
		connecting.Go(func() {
			for i := range next {
				p, err := c.dial(ctx, i)
				if p == nil || err != nil {
					continue
				}
				isReady := make(chan struct{})
				ready := sync.OnceFunc(func() { close(isReady) })
				c.running.Go(func() {
					defer ready()
					defer p.Close()
					if err := do(p, ready); err != nil && ctx.Err() == nil {
						c.ended.Add(1)
					}
				})
				<-isReady
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	connecting.Wait()
}

// idle is clients that say hello and nothing more.
func (c *crowd) idle(ctx context.Context, n int) {
	c.each(ctx, n, func(p *client, ready func()) error {
		if err := p.say("LHLO idle.example\r\n", "250"); err != nil {
			return err
		}
		ready()
		_, err := p.Read(make([]byte, 1)) // until the server or ctx ends it
		return err
	})
}

// A trickle is how a client sends content: so many octets at first, and then some every now and then until it is to end
// its message.
type trickle struct {
	first, octets int
	every         time.Duration
	end           <-chan struct{}
}

// slow is clients that send content by t.
func (c *crowd) slow(ctx context.Context, n int, t trickle) {
	block := bytes.Repeat([]byte("y"), t.octets)
	c.each(ctx, n, func(p *client, ready func()) error {
		err := p.say("LHLO slow.example\r\nMAIL FROM:<>\r\nRCPT TO:<u0@example.org>\r\nDATA\r\n",
			"250", "250", "250", "354")
		if err == nil {
			err = p.say("Subject: slow\r\n\r\n" + strings.Repeat(strings.Repeat("x", 78)+"\r\n", t.first/80))
		}
		if err != nil {
			return err
		}
		c.begun.Add(1)
		ready()
		ticks := time.NewTicker(t.every)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				if _, err := p.Write(block); err != nil {
					return err
				}
			case <-t.end:
				err := p.say("\r\n.\r\n", "250")
				if err == nil {
					c.delivered.Add(1)
				}
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// flood is connections that come at a rate, each to be closed when it was greeted, or else kept.
func (c *crowd) flood(ctx context.Context, perSecond float64, keep bool) {
	next := make(chan int)
	for range dialAtOnce {
		c.running.Go(func() {
			for i := range next {
				p, err := c.dial(ctx, i)
				if p != nil && err == nil && !keep {
					p.Close()
				}
			}
		})
	}
	c.running.Go(func() {
		defer close(next)
		began := time.Now()
		for i := 0; ; i++ {
			select {
			case <-time.After(time.Until(began.Add(time.Duration(float64(i) / perSecond * float64(time.Second))))):
			case <-ctx.Done():
				return
			}
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
}
