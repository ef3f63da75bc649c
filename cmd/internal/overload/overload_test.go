package overload

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/loadtest"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// long says whether to take the numbers of docs/overload.md, as "make overload" does.
var long = os.Getenv("DOORSTEP_OVERLOAD") == "long"

// A siege is what a crowd does while healthy clients deliver.
type siege struct {
	name, title string
	limits      string // of the server
	peers       int
	settle      time.Duration // how long it goes on before the healthy clients begin, if long
	fills       bool          // they begin when some of the crowd are refused
	begin       func(context.Context, *crowd)
}

// scaled is n, or a small part of it in "make test".
func scaled(n int) int {
	if long {
		return n
	}
	return n / 20
}

// messages is how many the healthy clients send each time.
func messages() int {
	if long {
		return 4000
	}
	return 60
}

// connections is limits.connections.
func connections(n int) string { return fmt.Sprintf("connections = %d", n) }

var sieges = []siege{
	{
		name: "idle", title: "10,000 idle connections, from 100 addresses",
		limits: connections(scaled(12_000)), peers: 100,
		begin: func(ctx context.Context, c *crowd) { c.idle(ctx, scaled(10_000)) },
	},
	{
		name: "slow", title: "1,000 senders of an octet at a time, ten a second",
		limits: connections(scaled(12_000)), peers: 100,
		begin: func(ctx context.Context, c *crowd) {
			c.slow(ctx, scaled(1000), trickle{octets: 1, every: 100 * time.Millisecond})
		},
	},
	{
		name: "minimum", title: "1,000 senders at min_data_rate, while connections are scarce",
		limits: connections(scaled(1300)), peers: 100,
		settle: 45 * time.Second, // they may be 30 s late
		begin: func(ctx context.Context, c *crowd) {
			c.slow(ctx, scaled(1000), trickle{octets: 52, every: 100 * time.Millisecond})
		},
	},
	{
		name: "flood", title: "100,000 connections a minute, from 100 addresses, closed after the greeting",
		limits: connections(1000), peers: 100,
		begin: func(ctx context.Context, c *crowd) { c.flood(ctx, 100_000.0/60, false) },
	},
	{
		name: "greedy", title: "100,000 connections a minute from one address, each kept, without a limit for it",
		limits: connections(1000) + "\nconnections_per_peer = 0", peers: 1,
		fills: true,
		begin: func(ctx context.Context, c *crowd) { c.flood(ctx, 100_000.0/60, true) },
	},
}

// TestOverload: whatever a crowd does, all mail of healthy clients is delivered, and the server stays within its
// limits.
func TestOverload(t *testing.T) {
	var table strings.Builder
	for _, siege := range sieges {
		t.Run(siege.name, func(t *testing.T) { siege.run(start(t, siege.limits, memoryLimit), &table) })
	}
	t.Logf("\n%s%s", head, table.String())
}

// head and row make the table in docs/overload.md. A rate is in messages a second.
const (
	head = "| beside | rate, p50, p99 (ms) without | with | not delivered | crowd: offered, taken, refused, ended | " +
		"memory (MiB) | descriptors | processor without, with |\n|---|---|---|---|---|---|---|---|\n"
	row = "| %s | %s; after: %s | %s | %d of %d %v | %d, %d, %d, %d | %d of %d | %d of %d | %.1f, %.1f s |\n"
)

// run measures without the crowd, with it, and without it again.
func (g siege) run(s *server, table *strings.Builder) {
	without, alone := s.measure()
	ctx, end := context.WithCancel(s.Context())
	defer end()
	c := &crowd{server: s.address, peers: g.peers}
	g.begin(ctx, c)
	if long {
		time.Sleep(g.settle) // not a wait for an event: it is how long the crowd has been there
	}
	if g.fills {
		peer.Await(s, time.Minute, "no room for the crowd", func() bool { return c.refused.Load() > 0 })
	}
	peak := s.watch()
	with, beside := s.measure()
	most := peak()
	end()
	c.running.Wait()
	after, _ := s.measure()
	fmt.Fprintf(table, row, g.title, figures(without), figures(after), figures(with), with.Failed, with.Messages,
		with.Errors, c.offered.Load(), c.taken.Load(), c.refused.Load(), c.ended.Load(), most.memory>>20, memoryLimit>>20,
		most.descriptors, s.descriptors(), alone.Seconds(), beside.Seconds())
	if without.Failed+with.Failed+after.Failed > 0 {
		s.Errorf("not delivered: %v, %v, %v", without.Errors, with.Errors, after.Errors)
	}
	if c.taken.Load() == 0 {
		s.Errorf("no client of the crowd was taken, of %d", c.offered.Load())
	}
	if most.memory > memoryLimit {
		s.Errorf("%d octets of memory, of %d", most.memory, memoryLimit)
	}
}

// measure has healthy clients deliver, and returns the processor time that the server used meanwhile.
func (s *server) measure() (loadtest.Report, time.Duration) {
	s.Helper()
	before := s.cpu()
	r := s.send(messages())
	return r, s.cpu() - before
}

func (s *server) cpu() time.Duration {
	stat, err := s.proc.Stat()
	if err != nil {
		s.Fatal(err)
	}
	return time.Duration(stat.CPUTime() * float64(time.Second))
}

func figures(r loadtest.Report) string {
	return fmt.Sprintf("%.0f, %.1f, %.1f", r.Rate, r.Latency["p50"], r.Latency["p99"])
}
