package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/loadtest"
)

// TestSendLoad sends a load, and counts it at the other end.
func TestSendLoad(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, plainConfig(""))
	out, errs, code := doorstep(t, dir, "send", "--server", "unix:lmtp", "--count", "100", "--sessions", "8",
		"--per-connection", "7", "--spread",
		"--to", "alice@example.org", "--to", "bob@example.org", "--json")
	var r loadtest.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("%q, %q, %v, exit status %d", out, errs, err, code)
	}
	counted := 0
	for _, b := range r.Bars {
		counted += b.Count
	}
	if r.Messages != 100 || r.Failed != 0 || counted != 100 || r.Rate <= 0 || r.Latency["p50"] <= 0 ||
		r.Latency["max"] < r.Latency["p50"] {
		t.Errorf("%+v", r)
	}
	for _, local := range []string{"alice", "bob"} {
		if n := len(names(t, filepath.Join(maildir(dir, local), "new"))); n != 50 {
			t.Errorf("%s has %d messages, want 50", local, n)
		}
	}

	// Two messages at ten a second take a tenth of a second at least; what is refused is counted by
	// what was said, and does not end the session.
	out, errs, code = doorstep(t, dir, "send", "--server", "unix:lmtp", "--count", "3", "--rate", "20", "--to",
		"nobody@example.org")
	if code != cli.ExitFailure || !strings.Contains(out, "3 messages over 1 session in ") ||
		!strings.Contains(out, "3 failed") ||
		!strings.Contains(out, "3 times: 550 5.1.1") || !strings.Contains(errs, "3 of 3 messages not delivered") {
		t.Errorf("%q, %q, exit status %d", out, errs, code)
	}
	_, errs, code = doorstep(t, dir, "send", "--server", "unix:nothing", "--wait", "0", "--count", "3", "--to",
		"alice@example.org")
	if code != cli.ExitFailure || !strings.Contains(errs, "hint: is a server running there?") {
		t.Errorf("%q, exit status %d", errs, code)
	}
}
