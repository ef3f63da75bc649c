package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
)

func TestCall(t *testing.T) {
	if err := Call(func() error { return nil }); err != nil {
		t.Error(err)
	}
	if err := Call(func() error { return io.EOF }); err != io.EOF {
		t.Error(err)
	}
	err := Call(func() error { explode(); return nil })
	var p *Panic
	if !errors.As(err, &p) || p.Value != "boom" || !strings.Contains(string(p.Stack), "explode") {
		t.Errorf("error %v", err)
	}
	if again := Call(func() error { panic(p) }); again != error(p) {
		t.Errorf("raised again it is %v", again)
	}
	if err := Call(func() error { panic(io.EOF) }); !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}

func explode() { panic("boom") }

// A panic is logged once, with its stack, however many errors have it.
func TestReport(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	Report(log, "delivery", nil)
	Report(log, "delivery", io.EOF)
	err := Call(func() error { explode(); return nil })
	for i := range 3 {
		Report(log, "delivery", fmt.Errorf("copy %d: %w", i, err))
	}
	if Run(log, "sweeper", explode) {
		t.Error("a job that panicked is said to have returned")
	}
	if !Run(log, "sweeper", func() {}) {
		t.Error("a job that returned is said not to have")
	}
	got := text.String()
	if strings.Count(got, "panic=boom") != 2 || strings.Count(got, "explode") < 2 ||
		!strings.Contains(got, `msg="panic in a delivery"`) || !strings.Contains(got, `msg="panic in a sweeper"`) {
		t.Errorf("log:\n%s", got)
	}
}

// The handler finds what Report logs, and nothing else, also where no line is written.
func TestHandler(t *testing.T) {
	var text bytes.Buffer
	for _, next := range []slog.Handler{slog.DiscardHandler, slog.NewTextHandler(&text, nil)} {
		found := 0
		log := slog.New(NewHandler(next, func(slog.Record) { found++ })).With("session", "x").WithGroup("g")
		log.Error("disk", "error", "panic")
		log.Info("debug", Key, "not an error")
		Run(log, "sweeper", explode)
		if found != 1 {
			t.Errorf("%T: found %d panics, want 1", next, found)
		}
	}
	if lines := strings.Count(text.String(), "\n"); lines != 3 {
		t.Errorf("%d lines:\n%s", lines, text.String())
	}
}

// A group raises the panic of one of its goroutines where it is waited for.
func TestGroup(t *testing.T) {
	var g Group
	var done atomic.Int32
	for i := range 10 {
		g.Go(func() {
			if i == 3 {
				explode()
			}
			done.Add(1)
		})
	}
	err := Call(func() error { g.Wait(); return nil })
	var p *Panic
	if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "explode") || done.Load() != 9 {
		t.Errorf("Wait ends with %v, %d are done", err, done.Load())
	}
	g.Go(func() {})
	g.Wait() // it was raised
}
