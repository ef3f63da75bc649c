package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/doorstep-mail/doorstep/cmd/internal/status"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/internal/guard"
)

// A panic where the daemon asks, answers or logs in a goroutine of its own costs that answer, is counted,
// and is in the log with its stack.

func TestPanicInProbe(t *testing.T) {
	p := &probe{look: func(string) (*status.Disk, error) { panic("boom") }}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := p.ask(ctx, "/mail")
		cancel()
		var panicked *guard.Panic
		if !errors.As(err, &panicked) {
			t.Errorf("answer %v", err)
		}
	}
}

func TestPanicsAreCounted(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelError} {
		c := &config.Config{}
		c.Admin.Socket.Network = "unix"
		w := newWatch(c)
		var text bytes.Buffer
		output := newLogOutput(&text, config.LogText)
		log := buildLog(c.Log, level, output)
		w.logs(output, log)
		w.value("explosive", "A value that cannot be told.", func() float64 { panic("boom") })

		answer := httptest.NewRecorder()
		handler := promhttp.HandlerFor(w.metrics.Registry(), promhttp.HandlerOpts{})
		for range 2 { // a scrape may count itself or not
			answer = httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		}
		if said := answer.Body.String(); !strings.Contains(said, "doorstep_explosive NaN") ||
			!strings.Contains(said, "\ndoorstep_panics_total 1\n") && !strings.Contains(said, "\ndoorstep_panics_total 2\n") {
			t.Errorf("metrics:\n%s", said)
		}
		if lines := text.String(); !strings.Contains(lines, "panic=boom") || !strings.Contains(lines, "panic_test.go") {
			t.Errorf("log:\n%s", lines)
		}
		if n := output.panics.Load(); n != 2 {
			t.Errorf("%d panics are counted, want 2", n)
		}
	}
}

// A writer that panics now and then, as a log's handler of others might.
type explosiveWriter struct {
	mu    sync.Mutex
	lines int
}

func (w *explosiveWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines++; w.lines == 2 {
		panic("boom")
	}
	return len(p), nil
}

func TestPanicInLogWriter(t *testing.T) {
	lost := 0
	q := newLogQueue(&explosiveWriter{}, func() { lost++ }, func(int) { panic("boom") })
	for range 4 {
		if _, err := io.WriteString(q, "line\n"); err != nil {
			t.Error(err)
		}
	}
	q.end(time.Minute)
	if lost != 1 {
		t.Errorf("%d lines are lost, want 1", lost)
	}
}

// A reload that panics leaves the old configuration in force, and says so.
func TestPanicInReload(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	path := t.TempDir() + "/doorstep.toml"
	content := []byte("hostname = \"mx.example\"\n[[listen]]\naddress = \"unix:lmtp.sock\"\n[store]\npath = \"/mail/{domain}/{local}\"\n[[domain]]\nname = \"example\"\n")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{path: path, log: log, manager: &manager{log: log}, orders: newTurn()} // without a configuration before
	r := d.reload()
	if !strings.Contains(r.Error, "the old configuration stays in force") || !strings.Contains(text.String(), "panic in a reload") {
		t.Errorf("answer %+v\n%s", r, text.String())
	}
}
