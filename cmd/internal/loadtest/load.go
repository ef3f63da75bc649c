// Package loadtest sends many messages to a server and measures how they are taken.
package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/histogram"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/spf13/pflag"
)

// A Load is what the flags of send say of more than one message.
type Load struct {
	Count, sessions int
	rate            float64 // messages a second over all sessions; 0 for as many as there are
	perConnection   int     // 0 for all of a session
	spread          bool
	json            bool
}

// Flags adds the flags of a load, which are read into l.
func (l *Load) Flags(flags *pflag.FlagSet) {
	flags.IntVarP(&l.Count, "count", "n", 1, "how many `messages` to send: more than one is a load, which is measured")
	flags.IntVar(&l.sessions, "sessions", 1, "with --count: how many `sessions` at once")
	flags.Float64Var(&l.rate, "rate", 0, "with --count: how many messages a `second`; 0 for as many as the server takes")
	flags.IntVar(&l.perConnection, "per-connection", 0,
		"with --count: how many `messages` over each connection; 0 for any number")
	flags.BoolVar(&l.spread, "spread", false, "with --count: each message to one of the recipients in turn")
	flags.BoolVar(&l.json, "json", false, "with --count: print what was measured as JSON")
}

// Check returns what is wrong with the flags. changed reports whether a flag of a name was given.
func (l *Load) Check(changed func(string) bool) error {
	switch {
	case l.Count < 1 || l.Count > 100_000_000:
		return cli.Usage(fmt.Errorf("send: --count %d is out of range", l.Count), "1 to 100000000")
	case l.sessions < 1 || l.sessions > 10_000:
		return cli.Usage(fmt.Errorf("send: --sessions %d is out of range", l.sessions), "1 to 10000")
	case !(l.rate >= 0 && l.rate <= 1e6): // NaN is neither
		return cli.Usage(fmt.Errorf("send: --rate %g is out of range", l.rate), "0 to 1000000")
	case l.perConnection < 0:
		return cli.Usage(fmt.Errorf("send: --per-connection %d is negative", l.perConnection), "0 for any number")
	}
	for _, flag := range []string{"sessions", "rate", "per-connection", "spread", "json"} {
		if l.Count == 1 && changed(flag) {
			return cli.Usage(fmt.Errorf("send: --%s goes with --count", flag),
				"doorstep send --count 1000 --sessions 8 --to alice@example.org")
		}
	}
	return nil
}

// A loadRun is a load at work.
type loadRun struct {
	load  *Load
	to    Target
	began time.Time
	next  atomic.Int64 // the number of the next message

	mu     sync.Mutex
	times  histogram.Histogram
	failed int
	errors map[string]int // their replies, bounded
}

// A Target is the server of a load, with the session that is open already, and the message for it.
type Target struct {
	Server  string
	Options client.Options
	First   *client.Client
	Message client.Message
	Content []byte
}

// Run sends the load and prints what was measured.
func (l *Load) Run(ctx context.Context, to Target, stdout, stderr io.Writer) error {
	run := &loadRun{load: l, to: to, began: time.Now(), errors: map[string]int{}}
	var group guard.Group
	for n := range min(l.sessions, l.Count) {
		group.Go(func() {
			if n == 0 {
				run.session(ctx, to.First)
			} else {
				run.session(ctx, nil)
			}
		})
	}
	done := make(chan struct{})
	var broken error
	go func() {
		defer close(done)
		broken = guard.Call(func() error { group.Wait(); return nil })
	}()
	run.progress(done, stderr)
	if broken != nil {
		return cli.Failed(fmt.Errorf("send: %w", broken), "this is a bug of doorstep")
	}
	return run.report(time.Since(run.began), stdout)
}

// session sends messages over one connection after another until all are sent or ctx ends.
func (run *loadRun) session(ctx context.Context, c *client.Client) {
	sent := 0
	defer func() {
		if c != nil {
			_ = c.Quit(ctx) // everything has been answered
			c.Close()
		}
	}()
	for {
		n := run.next.Add(1) - 1
		if n >= int64(run.load.Count) || !run.due(ctx, n) {
			return
		}
		start := time.Now()
		var err error
		if c == nil {
			if c, err = client.Dial(ctx, run.to.Server, run.to.Options); err != nil {
				c = nil
			}
			sent = 0
		}
		if err == nil {
			err = run.one(ctx, c, n)
		}
		if ctx.Err() != nil {
			return // it was given up, and is no measurement
		}
		run.note(time.Since(start), err)
		sent++
		broken := err != nil && !errors.As(err, new(loadRefusal))
		if c != nil && (broken || sent == run.load.perConnection) {
			if !broken {
				_ = c.Quit(ctx)
			}
			c.Close()
			c = nil
		}
	}
}

// A loadRefusal is an answer to a message that leaves the session in order.
type loadRefusal struct{ text string }

func (r loadRefusal) Error() string { return r.text }

// one sends message n.
func (run *loadRun) one(ctx context.Context, c *client.Client, n int64) error {
	m := run.to.Message
	m.Content = bytes.NewReader(run.to.Content)
	if run.load.spread {
		m.To = m.To[n%int64(len(m.To)):][:1]
	}
	result, err := c.Send(ctx, m)
	if err != nil {
		return err
	}
	for _, o := range result.Recipients {
		if !o.Delivered() {
			text, _, _ := strings.Cut(o.Final.String(), " [") // what comes after is of this one message
			return loadRefusal{text}
		}
	}
	return nil
}

// due waits until message n is due; it reports whether it may be sent.
func (run *loadRun) due(ctx context.Context, n int64) bool {
	if run.load.rate == 0 {
		return ctx.Err() == nil
	}
	at := run.began.Add(time.Duration(float64(n) / run.load.rate * float64(time.Second)))
	select {
	case <-time.After(time.Until(at)):
		return true
	case <-ctx.Done():
		return false
	}
}

// maxErrors bounds how many different answers are distinguished.
const maxErrors = 20

func (run *loadRun) note(took time.Duration, err error) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.times.Add(took)
	if err == nil {
		return
	}
	run.failed++
	text := address.Readable(err.Error())
	if _, known := run.errors[text]; !known && len(run.errors) >= maxErrors {
		text = "others"
	}
	run.errors[text]++
}

// progress shows people at a terminal how far it is, until done.
func (run *loadRun) progress(done <-chan struct{}, w io.Writer) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	terminal := cli.IsTerminal(w)
	for {
		select {
		case <-done:
			if terminal {
				fmt.Fprint(w, "\r\x1b[K")
			}
			return
		case <-tick.C:
			if !terminal {
				continue
			}
			run.mu.Lock()
			sent, lost := run.times.Count, run.failed
			run.mu.Unlock()
			share := 20 * sent / run.load.Count
			fmt.Fprintf(w, "\r\x1b[K[%s%s] %d of %d, %d failed, %.0f/s", strings.Repeat("#", share),
				strings.Repeat(".", 20-share),
				sent, run.load.Count, lost, float64(sent)/time.Since(run.began).Seconds())
		}
	}
}

// A Report is what was measured.
type Report struct {
	Messages int                `json:"messages"`
	Failed   int                `json:"failed"`
	Sessions int                `json:"sessions"`
	Seconds  float64            `json:"seconds"`
	Rate     float64            `json:"rate"` // messages a second that were delivered
	Latency  map[string]float64 `json:"latency_ms"`
	Bars     []bar              `json:"histogram"`
	Errors   map[string]int     `json:"errors,omitempty"`
}

// A bar of a histogram: how many took no longer than Below, and longer than the bar before.
type bar struct {
	Below float64 `json:"within_ms"`
	Count int     `json:"count"`
}

func ms(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Microsecond)) / 1000 }

func (run *loadRun) report(took time.Duration, w io.Writer) error {
	r := Report{
		Messages: run.times.Count, Failed: run.failed, Sessions: run.load.sessions, Seconds: took.Seconds(),
		Rate: float64(run.times.Count-run.failed) / took.Seconds(), Bars: []bar{}, Errors: run.errors,
		Latency: map[string]float64{"max": ms(run.times.Longest)},
	}
	for _, p := range []int{50, 95, 99} {
		r.Latency[fmt.Sprintf("p%d", p)] = ms(run.times.Quantile(float64(p) / 100))
	}
	for _, b := range run.times.Bars() {
		r.Bars = append(r.Bars, bar{ms(b.Within), b.Count})
	}
	var err error
	if run.load.json {
		err = json.NewEncoder(w).Encode(r)
	} else {
		_, err = io.WriteString(w, r.String())
	}
	switch {
	case err != nil:
		return err
	case r.Failed > 0:
		return cli.Failed(fmt.Errorf("%d of %s not delivered", r.Failed, cli.Count(r.Messages, "message")),
			"the log of the server says why")
	case r.Messages < run.load.Count:
		return cli.Failed(fmt.Errorf("stopped after %s", cli.Count(r.Messages, "message")), "")
	}
	return nil
}

func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s over %s in %.2f s: %.0f/s, %d failed\n", cli.Count(r.Messages, "message"),
		cli.Count(r.Sessions, "session"), r.Seconds, r.Rate, r.Failed)
	fmt.Fprintf(&b, "latency: 50%% within %.1f ms, 95%% %.1f ms, 99%% %.1f ms, all %.1f ms\n", r.Latency["p50"],
		r.Latency["p95"], r.Latency["p99"], r.Latency["max"])
	most := 1
	for _, bar := range r.Bars {
		most = max(most, bar.Count)
	}
	for _, bar := range r.Bars {
		fmt.Fprintf(&b, "%10.1f ms %8d %s\n", bar.Below, bar.Count, strings.Repeat("#", (40*bar.Count+most-1)/most))
	}
	texts := []string{}
	for text := range r.Errors {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	for _, text := range texts {
		fmt.Fprintf(&b, "%d times: %s\n", r.Errors[text], text)
	}
	return b.String()
}
