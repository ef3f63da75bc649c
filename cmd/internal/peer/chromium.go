package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A Browser is a headless Chromium with one page.
type Browser struct {
	tb  testing.TB
	ctx context.Context

	mu       sync.Mutex
	said     []string
	requests []string
}

// StartBrowser starts Chromium, without its sandbox where root runs it: it sees the tests' own pages
// only.
func StartBrowser(tb testing.TB) *Browser {
	tb.Helper()
	Need(tb, "chromium")
	program, err := look("chromium")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	tb.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	tb.Cleanup(cancel)
	b := &Browser{tb: tb, ctx: ctx}
	err = errors.Join(chromedp.Listen(ctx, b.note),
		call(ctx, network.Enable, network.EnableParams{}), call(ctx, log.Enable, cdp.Empty{}),
		call(ctx, runtime.Enable, cdp.Empty{}))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// call returns a command of which nothing but an error comes back.
func call[P any](ctx context.Context, command cdp.Command[P, cdp.Empty], params P) error {
	_, err := chromedp.Call(ctx, command, params)
	return err
}

// note keeps what the page complains of, and what it asks for.
func (b *Browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, fmt.Sprintf("exception: %s", e.ExceptionDetails.Text))
	case *runtime.EventConsoleAPICalled:
		b.said = append(b.said, fmt.Sprintf("console.%s: %v", e.Type, e.Args))
	case *log.EventEntryAdded:
		b.said = append(b.said, fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// Complaints are what was said on the console: errors of scripts, violations of the page's policy.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Compact(slices.Clone(b.said))
}

// Requests are the addresses that were asked for.
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// Open goes to a page, in a window of this size and with "light" or "dark" wanted.
func (b *Browser) Open(url, scheme string, width, height int64) {
	b.tb.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme",
		Value: scheme}}}
	b.check(call(b.ctx, emulation.SetEmulatedMedia, media))
	b.check(chromedp.Do(b.ctx, chromedp.EmulateViewport(width, height), chromedp.Navigate(url)))
}

func (b *Browser) check(err error) {
	b.tb.Helper()
	if err != nil {
		b.tb.Fatalf("in the browser: %v; it said %q", err, b.Complaints())
	}
}

// Value evaluates an expression of JavaScript.
func Value[T any](b *Browser, expression string) T {
	b.tb.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.tb.Fatalf("%s: %v; the browser said %q", expression, err, b.Complaints())
	}
	return value
}

// Await waits until an expression of JavaScript is true. It asks from without: a page's policy may
// forbid what chromedp.Poll does within.
func (b *Browser) Await(expression string) {
	b.tb.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !Value[bool](b, expression) {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			b.tb.Fatalf("waited too long for %s", expression)
		}
	}
}

// Screenshot is a picture of what the window shows, in PNG.
func (b *Browser) Screenshot() []byte {
	b.tb.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	b.check(err)
	return png
}
