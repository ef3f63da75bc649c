package main

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestReportIsPrintable: a server's words cannot play with the terminal of the user who asks it
// (ECMA-48 has control functions above 127 too).
func TestReportIsPrintable(t *testing.T) {
	var out strings.Builder
	err := report(&client.Result{Recipients: []client.Outcome{
		{To: "a@example.org", Final: client.Reply{Code: 250, Lines: []string{"ok \u009b2J 你好"}}},
		{To: "b@example.org", Err: errors.New("read: \x1b[2J")},
	}}, &out)
	if want := "a@example.org: 250 ok \\x{9b}2J 你好\nb@example.org: read: \\x{1b}[2J\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	if err == nil || err.Error() != "1 of 2 recipients not delivered" {
		t.Errorf("error %v", err)
	}
}

// TestSendWaitsForAServer: a server that begins to listen after send has looked for it gets the message, by
// TCP, by a Unix socket, and by one that an earlier server has left. send says that it waits.
func TestSendWaitsForAServer(t *testing.T) {
	dir := place(t)
	left := listenOn(t, "unix", filepath.Join(dir, "left"))
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	vacant := listenOn(t, "tcp", "127.0.0.1:0")
	port := "tcp:" + vacant.Addr().String()
	if err := vacant.Close(); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string][]string{"one": nil, "load": {"--count", "3"}} {
		for _, server := range []string{port, "unix:new-" + name, "unix:left"} {
			t.Run(name+" "+server, func(t *testing.T) {
				s, err := launch(dir, append([]string{"send", "--server", server, "--wait", patience.String(), "--to",
					"alice@example.org"}, more...)...)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.kill)
				s.awaitLog(t, "waiting up to 1m0s for a server")
				late := serveConfig(t, dir, strings.Replace(plainConfig(""), `"unix:lmtp"`, strconv.Quote(server), 1))
				if code := s.exitCode(t); code != 0 {
					t.Errorf("exit status %d\n%s", code, s.log.String())
				}
				late.signal(t, syscall.SIGTERM)
				late.exitCode(t)
			})
		}
	}
}

// TestSendGivesUp: with --wait 0 at once, and where it is not the server that is missing in any case.
func TestSendGivesUp(t *testing.T) {
	dir := place(t)
	for _, args := range [][]string{
		{"--server", "unix:nothing", "--wait", "0"},
		{"--server", "unix:doorstep.toml/nothing", "--wait", "1h"}, // ENOTDIR
	} {
		rewrite(t, dir, "")
		_, errs, code := doorstep(t, dir, append([]string{"send", "--to", "alice@example.org"}, args...)...)
		if code != cli.ExitFailure || strings.Contains(errs, "waiting") {
			t.Errorf("%q: %q, exit status %d", args, errs, code)
		}
	}
	if _, errs, code := doorstep(t, dir, "send", "--to", "a@b", "--wait", "-1s"); code != cli.ExitUsage ||
		!strings.Contains(errs, "--wait -1s is negative") {
		t.Errorf("%q, exit status %d", errs, code)
	}
}
