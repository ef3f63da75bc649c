package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/trace"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// mta is who sends mail.
var mta = &lmtp.Session{ID: "s", Remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}}

// fake is a server with something to show.
func fake(problems ...string) *Server {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	board := status.New(func() time.Time { return now })
	board.Outcome(delivery.Outcome{Session: mta, Mailbox: "alice@example.org", Took: 5 * time.Millisecond, Size: 10})
	board.Outcome(delivery.Outcome{
		Session: mta, To: address.Address{Local: `"<script>alert(1)</script>`, Domain: "example.org"}, Took: time.Second,
		Err: &lmtp.Error{Code: 451, Enhanced: "4.3.0", Text: "x", Cause: errors.New("<img src=x onerror=alert(1)>")},
	})
	now = now.Add(status.Interval)
	return &Server{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }),
		Status: func(context.Context) *status.Snapshot {
			s := board.Snapshot()
			s.Hostname, s.Ready, s.Problems = "mail.example.org", len(problems) == 0, problems
			return s
		},
		Ready: func(context.Context) []string { return problems },
		Trace: &trace.Hub{}, Log: slog.New(slog.DiscardHandler),
	}
}

// get asks a server, as the given host.
func get(s *Server, path, host string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestWhoMayAsk: with a token only who shows it, without one only who is on this machine and
// knows it by its own name.
func TestWhoMayAsk(t *testing.T) {
	const token = "0123456789abcdef"
	open, secret, local := fake(), fake(), fake()
	secret.Token = token
	local.Local = true
	for _, c := range []struct {
		name   string
		server *Server
		path   string
		host   string
		header []string
		want   int
	}{
		{"loopback", open, "/", "127.0.0.1:9180", nil, 200},
		{"loopback 6", open, "/", "[::1]:9180", nil, 200},
		{"localhost", open, "/metrics", "localhost", nil, 200},
		{"rebound name", open, "/metrics", "evil.example:9180", nil, 421},
		{"rebound name, health", open, "/healthz", "evil.example", nil, 421},
		{"no name", open, "/", "", nil, 421},
		{"Unix socket", local, "/", "whatever", nil, 200},
		{"no token", secret, "/", "mail.example.org", nil, 401},
		{"no token, metrics", secret, "/metrics", "127.0.0.1", nil, 401},
		{"no token, ready", secret, "/readyz", "127.0.0.1", nil, 401},
		{"no token, trace", secret, "/trace?of=unix", "127.0.0.1", nil, 401},
		{"no token, status", secret, "/status.json", "127.0.0.1", nil, 401},
		{"no token, health", secret, "/healthz", "mail.example.org", nil, 200},
		{"token", secret, "/metrics", "mail.example.org", []string{"Authorization", "Bearer " + token}, 200},
		{"wrong token", secret, "/metrics", "mail.example.org", []string{"Authorization", "Bearer " + token + "x"}, 401},
		{"empty token", secret, "/metrics", "mail.example.org", []string{"Authorization", "Bearer "}, 401},
		{"password", secret, "/", "mail.example.org", []string{"Authorization", "Basic eDowMTIzNDU2Nzg5YWJjZGVm"}, 200},
		{"wrong password", secret, "/", "mail.example.org", []string{"Authorization", "Basic eDowMTIzNDU2Nzg5YWJjZGVn"}, 401},
		{"trace for all", open, "/trace?of=unix", "127.0.0.1", nil, 403},
		{"trace of nothing", local, "/trace?of=", "x", nil, 400},
		{"elsewhere", open, "/debug/pprof/", "127.0.0.1", nil, 404},
		{"up", open, "/../etc/passwd", "127.0.0.1", nil, 307},
	} {
		r := get(c.server, c.path, c.host, c.header...)
		if r.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, r.StatusCode, c.want)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: header %v", c.name, r.Header)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/", nil)
		r.Host = "127.0.0.1"
		open.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestReady(t *testing.T) {
	if r := get(fake(), "/readyz", "127.0.0.1"); r.StatusCode != 200 || body(t, r) != "ready\n" {
		t.Errorf("%d", r.StatusCode)
	}
	r := get(fake("the store is full", "directory: gone"), "/readyz", "127.0.0.1")
	if r.StatusCode != 503 || body(t, r) != "the store is full\ndirectory: gone\n" {
		t.Errorf("%d", r.StatusCode)
	}
	if r := get(fake("x"), "/healthz", "127.0.0.1"); r.StatusCode != 200 {
		t.Errorf("alive and not ready: %d", r.StatusCode)
	}
}

// TestPageIsSafe: what clients sent is text on the page, and nothing else runs there than its own
// script, which the policy names.
func TestPageIsSafe(t *testing.T) {
	r := get(fake("<b>"), "/", "127.0.0.1")
	page := body(t, r)
	for _, bad := range []string{"<script>alert", "<img src=x", "<li><b>", "http://", "https://", " style=", " onclick",
		"ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
	if !strings.Contains(page, "<li>&lt;b&gt;</li>") {
		t.Error("a problem is not escaped")
	}
	_, rest, _ := strings.Cut(r.Header.Get("Content-Security-Policy"), "script-src 'nonce-")
	nonce, _, _ := strings.Cut(rest, "'")
	if len(nonce) < 20 || strings.Count(page, `nonce="`+nonce+`"`) != 2 || strings.Count(page, "<script") != 1 {
		t.Errorf("nonce %q", nonce)
	}
	if again := get(fake(), "/", "127.0.0.1"); strings.Contains(again.Header.Get("Content-Security-Policy"), nonce) {
		t.Error("a nonce was used twice")
	}
	part := body(t, get(fake(), "/?part=main", "127.0.0.1"))
	if !strings.HasPrefix(part, "<main>") || !strings.HasSuffix(part, "</main>") || strings.Contains(part, "nonce") ||
		!strings.Contains(page, "<main>") {
		t.Errorf("the main part alone is %.100s…", part)
	}
	if len(page) > 200<<10 {
		t.Errorf("the page has %d octets", len(page))
	}
}

// TestChartsAreDrawn: from what was delivered.
func TestChartsAreDrawn(t *testing.T) {
	s := fake().Status(context.Background())
	drawn := map[string]string{}
	for _, c := range charts(s) {
		for _, series := range c.Series {
			drawn[c.Name+" "+series.Name] = series.Path
		}
		if len(c.Hints) < 60 {
			t.Errorf("%s: %d hints", c.Name, len(c.Hints))
		}
	}
	// The last point of 359: 1 in 10 seconds of .1, 1 s of 1 s, and 1 of 1.
	for name, want := range map[string]string{
		"rate delivered": "L720.0 0.0L720.0 120.0", "latency p99": "M720.0 ", "outcomes deferred": "L720.0 0.0L720.0 120.0",
		"outcomes refused": "L720.0 120.0",
	} {
		if !strings.Contains(drawn[name], want) {
			t.Errorf("%s is drawn as …%s, want %s", name, drawn[name][max(0, len(drawn[name])-60):], want)
		}
	}
	if niceTop([]float64{0, .3}) != .5 || niceTop([]float64{70}) != 100 || niceTop(nil) != 1 ||
		niceTop([]float64{2}) != 2 {
		t.Error("scales are not round")
	}
}

func TestStatusJSON(t *testing.T) {
	var s status.Snapshot
	if err := json.NewDecoder(get(fake(), "/status.json", "127.0.0.1").Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Hour.Delivered != 1 || s.Hostname != "mail.example.org" || len(s.Failures) != 1 {
		t.Errorf("%+v", s)
	}
}

// TestTrace: lines come as they are said, and the end of the server is the end of them.
func TestTrace(t *testing.T) {
	s := fake()
	s.Local = true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	r, err := http.Get("http://" + l.Addr().String() + "/trace?of=192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	if !lines.Scan() || lines.Text() != "{}" {
		t.Fatalf("began with %q", lines.Text())
	}
	s.Trace.Command(mta, "MAIL", "FROM:<\x1b@b>")
	var got trace.Line
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &got) != nil || got.From != "C" ||
		got.Text != `MAIL FROM:<\x{1b}@b>` {
		t.Errorf("then came %q", lines.Text())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestHeaderIsBounded: a client that sends a header without end is cut off.
func TestHeaderIsBounded(t *testing.T) {
	s := fake()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l) //nolint:errcheck // ends with the test
	defer s.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// may be cut off meanwhile
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(answer, "431") {
		t.Errorf("%q, %v", answer, err)
	}
}

// TestPageShowsOutbox: what waits, and why reports are not offered and state is not kept, without what a server says
// being taken for HTML.
func TestPageShowsOutbox(t *testing.T) {
	s := fake()
	if page := body(t, get(s, "/", "127.0.0.1")); strings.Contains(page, "Outbox") {
		t.Error("shows an outbox that is not there")
	}
	plain := s.Status
	s.Status = func(ctx context.Context) *status.Snapshot {
		shown := plain(ctx)
		shown.Outbox = &status.Outbox{Entries: 2, Octets: 4096, Oldest: shown.Now.Add(-time.Hour), Why: "it says <b>no</b>"}
		shown.State = &status.State{Entries: 3, Limit: 100, Why: "disk <full>"}
		return shown
	}
	page := body(t, get(s, "/", "127.0.0.1"))
	for _, want := range []string{"not offered", "2 reports wait (4 KiB), the oldest for 1 h 0 min",
		"it says &lt;b&gt;no&lt;/b&gt;", "not kept", "3 of 100 entries", "disk &lt;full&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}
