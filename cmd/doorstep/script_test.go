package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the program as people do at a terminal: testdata/script has a file for each
// verb. Beside testscript's own commands there are:
//
//	status N COMMAND…       run COMMAND and want it to exit with N
//	listen NAME             hold a TCP port of loopback, whose address goes into $NAME
//	listen-unix PATH        hold a Unix socket, on which connections are accepted and closed
//	dead-socket PATH        leave a Unix socket that nobody listens on
//	expand FILE             replace ${NAME} in FILE with what the environment has
//	lines FILE N            want FILE to have N lines
//	serve FILE              run doorstep serve -c FILE until the script ends, once it listens
func TestScripts(t *testing.T) {
	testdata, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Deadline:            time.Now().Add(2 * patience), // a server that should not have started
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("TESTDATA", testdata)
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("ME", strconv.Itoa(os.Geteuid()))
			// Unix sockets have room for 107 octets, and testscript's directories are deep.
			short, err := os.MkdirTemp("", "doorstep-script-")
			e.Setenv("SHORT", short)
			e.Defer(func() {
				if err := os.RemoveAll(short); err != nil {
					t.Error(err)
				}
			})
			return err
		},
		Condition: func(cond string) (bool, error) { return os.Geteuid() == 0, nil }, // [root]
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":       serveScript,
			"status":      wantStatus,
			"listen":      holdPort,
			"listen-unix": holdSocket,
			"dead-socket": deadSocket,
			"expand":      expand,
			"lines":       countLines,
		},
	})
}

// wantStatus runs a command whose exit status matters.
func wantStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s: exit status %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// holdPort listens on a port for as long as the script runs. Nobody accepts.
func holdPort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// holdSocket is a server on a Unix socket: it accepts connections and closes them.
func holdSocket(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("unix", ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
}

// deadSocket leaves a socket as a killed server does.
func deadSocket(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unix"})
	ts.Check(err)
	l.SetUnlinkOnClose(false)
	ts.Check(l.Close())
}

// expand puts what is known only now into a file of the script.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func countLines(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if text := ts.ReadFile(args[0]); strings.Count(text, "\n") != want {
		ts.Fatalf("%s has %d lines, want %d:\n%s", args[0], strings.Count(text, "\n"), want, text)
	}
}

func serveScript(ts *testscript.TestScript, _ bool, args []string) {
	configuration := ts.ReadFile(args[0])
	s, err := launch(ts.Getenv("SHORT"), "serve", "-c", ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(s.kill)
	for range strings.Count(configuration, "[[listen]]") {
		ts.Check(s.log.await("msg=listening"))
	}
}
