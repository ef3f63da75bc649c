package observe

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/logging"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func TestPanicsAreCounted(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelError} {
		c := &config.Config{}
		c.Admin.Socket.Network = "unix"
		w := New(c)
		var text bytes.Buffer
		output := logging.NewOutput(&text, config.LogText)
		log := logging.New(c.Log, level, output)
		w.Logs(output, log)
		w.Value("explosive", "A value that cannot be told.", func() float64 { panic("boom") })

		answer := httptest.NewRecorder()
		handler := promhttp.HandlerFor(w.Metrics.Registry(), promhttp.HandlerOpts{})
		for range 2 { // a scrape may count itself or not
			answer = httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		}
		if said := answer.Body.String(); !strings.Contains(said, "doorstep_explosive NaN") ||
			!strings.Contains(said, "\ndoorstep_panics_total 1\n") && !strings.Contains(said, "\ndoorstep_panics_total 2\n") {
			t.Errorf("metrics:\n%s", said)
		}
		if lines := text.String(); !strings.Contains(lines, "panic=boom") || !strings.Contains(lines, "observers_test.go") {
			t.Errorf("log:\n%s", lines)
		}
		if n := output.Panics.Load(); n != 2 {
			t.Errorf("%d panics are counted, want 2", n)
		}
	}
}

// TestHangs: what hangs is in the log and in the metrics, and in them only while it does.
func TestHangs(t *testing.T) {
	c := &config.Config{}
	c.Admin.Socket.Network = "unix"
	for _, w := range []*Observers{New(c), nil} {
		var text bytes.Buffer
		hangs := w.Hangs(slog.New(slog.NewTextHandler(&text, nil)))
		for _, open := range []bool{true, false} {
			text.Reset()
			hangs(breaker.State{Name: "file system /srv/mail", Open: open, Since: time.Now(), Running: 7})
			if line := text.String(); strings.Contains(line, "does not answer") != open ||
				!strings.Contains(line, `what="file system /srv/mail" running=7`) {
				t.Errorf("open %t: log %q", open, line)
			}
			if w == nil {
				continue
			}
			answer := httptest.NewRecorder()
			promhttp.HandlerFor(w.Metrics.Registry(), promhttp.HandlerOpts{}).
				ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			if said := answer.Body.String(); open !=
				strings.Contains(said, "\ndoorstep_unresponsive{what=\"file system /srv/mail\"} 1\n") {
				t.Errorf("open %t: metrics\n%s", open, said)
			}
		}
	}
}

// BenchmarkHooks is what all who hear of it cost of one message for one recipient.
func BenchmarkHooks(b *testing.B) {
	c := &config.Config{}
	c.Admin.Socket.Network = "unix"
	w := New(c)
	session := &lmtp.Session{ID: "x", Remote: &net.UnixAddr{Net: "unix"}}
	sessions, outcomes, store, lookup := w.Sessions(), w.Deliveries(), w.Store(), w.Lookups()
	outcome := delivery.Outcome{Session: session, Mailbox: "alice@example.org", Took: time.Millisecond, Size: 4000}
	b.ReportAllocs()
	for b.Loop() {
		for _, verb := range []string{"MAIL", "RCPT", "DATA"} {
			sessions.Command(session, verb, "")
			sessions.Reply(session, verb, lmtp.Reply{Code: 250})
		}
		lookup("users", time.Millisecond, nil)
		sessions.Content(session, 4000)
		store.Begun(1)
		store.Staged(time.Millisecond, nil)
		store.Synced(time.Millisecond, nil)
		store.DirectorySynced(time.Millisecond, 1, nil)
		store.Ended(time.Millisecond, nil)
		outcomes.Outcome(outcome)
		sessions.Reply(session, "DATA", lmtp.Reply{Code: 250})
	}
}
