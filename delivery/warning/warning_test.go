package warning

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox"
)

var sample = Warning{
	Mailbox: `"a b;$(id)"@dst.example`, Percent: 80, Of: "bytes",
	Usage: mailbox.Usage{Bytes: 850, Messages: 3}, Quota: mailbox.Quota{Bytes: 1000},
}

const sampleJSON = `{"mailbox":"\"a b;$(id)\"@dst.example","percent":80,"of":"bytes","usage":{"bytes":850,"messages":3},"quota":{"bytes":1000,"messages":0}}` + "\n"

// passOn passes warnings on and returns what was logged.
func passOn(command []string, url string, timeout time.Duration, warnings ...Warning) string {
	var mu sync.Mutex
	var log bytes.Buffer
	s := New(command, url, timeout, slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil)))
	for _, w := range warnings {
		s.Warn(w)
	}
	s.Close(context.Background())
	return log.String()
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// The program gets the warning on standard input and in its environment, and nothing of it is a
// command.
func TestCommand(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	log := passOn([]string{"/bin/sh", "-c", `cat >"$1"; env | grep ^DOORSTEP | sort >>"$1"`, "sh", out}, "", time.Minute,
		sample)
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err, log)
	}
	want := sampleJSON + "DOORSTEP_MAILBOX=\"a b;$(id)\"@dst.example\nDOORSTEP_OF=bytes\nDOORSTEP_PERCENT=80\n" +
		"DOORSTEP_QUOTA_BYTES=1000\nDOORSTEP_QUOTA_MESSAGES=0\nDOORSTEP_USED_BYTES=850\nDOORSTEP_USED_MESSAGES=3\n"
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if !strings.Contains(log, "quota warning") || strings.Contains(log, "ERROR") {
		t.Error(log)
	}
}

// A program that fails, hangs with all its children, or is not there is logged.
func TestCommandFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		command []string
		timeout time.Duration
		want    string
	}{
		{"fails", []string{"/bin/sh", "-c", "echo no mail today >&2; exit 3"}, time.Minute,
			"exit status 3, saying \\\"no mail today"},
		{"hangs", []string{"/bin/sh", "-c", "sleep 1000 & sleep 1000"}, 50 * time.Millisecond, "not finished after 50ms"},
		{"writes without end", []string{"/bin/sh", "-c", "yes; exit 1"}, 200 * time.Millisecond, "saying"},
		{"is not there", []string{"/nowhere/program"}, time.Minute, "no such file"},
	} {
		if log := passOn(tt.command, "", tt.timeout, sample); !strings.Contains(log, tt.want) || len(log) > 2000 {
			t.Errorf("%s: logged %.2000s", tt.name, log)
		}
	}
}

func TestPost(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v, %v", r.Method, r.Header, err)
		}
		bodies = append(bodies, string(body))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer server.Close()
	if log := passOn(nil, server.URL, time.Minute, sample); len(bodies) != 1 || bodies[0] != sampleJSON ||
		strings.Contains(log, "ERROR") {
		t.Errorf("%q, logged %s", bodies, log)
	}
	for _, status = range []int{500, 404, 307} {
		if log := passOn(nil, server.URL, time.Minute, sample); !strings.Contains(log, "not passed on") {
			t.Errorf("%d: logged %s", status, log)
		}
	}
	if len(bodies) != 4 {
		t.Errorf("%d posts: a redirect was followed", len(bodies))
	}
}

// Warn never waits: what is too much is dropped.
func TestTooMany(t *testing.T) {
	release := make(chan struct{})
	var posts int
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		posts++
		mu.Unlock()
		<-release
	}))
	defer server.Close()
	var log bytes.Buffer
	var logMu sync.Mutex
	s := New(nil, server.URL, time.Minute, slog.New(slog.NewTextHandler(lockedWriter{&logMu, &log}, nil)))
	for range waiting + 10 {
		s.Warn(sample)
	}
	close(release)
	s.Close(t.Context())
	if dropped := strings.Count(log.String(), "dropped"); dropped != 10 || posts != waiting {
		t.Errorf("%d dropped, %d posted", dropped, posts)
	}
}
