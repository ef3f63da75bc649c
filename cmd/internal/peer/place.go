package peer

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Dir makes a directory that is removed when the test ends. Unlike tb.TempDir it is short
// enough for Unix sockets (108 octets with their name), and other users can enter it, as the
// programs run under users of their own.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "doorstep-peer-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("remove what a peer left: %v", err)
		}
	})
	return dir
}

// makeDirs makes directories below dir.
func makeDirs(tb testing.TB, dir string, names ...string) {
	tb.Helper()
	for _, name := range names {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
}

// write writes a configuration file of lines.
func write(tb testing.TB, path string, lines ...string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// read returns a file's content, "" where there is none yet.
func read(tb testing.TB, path string) string {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return string(b)
}

// tail returns the end of a long log.
func tail(log string) string {
	const most = 8 << 10
	if len(log) <= most {
		return log
	}
	_, end, _ := strings.Cut(log[len(log)-most:], "\n")
	return "…\n" + end
}

// handedOut has the ports that FreePort gave, each once: the kernel may offer one again as soon as
// it is closed, and a test that asks for two would listen twice on one.
var handedOut sync.Map

// FreePort finds a loopback TCP port without a listener, another one at each call.
func FreePort(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		if err := l.Close(); err != nil {
			tb.Fatal(err)
		}
		if _, again := handedOut.LoadOrStore(port, true); !again {
			return port
		}
	}
	tb.Fatal("no loopback port is free that was not handed out before")
	return ""
}

// Await waits until ready says yes, looking every few milliseconds: other programs send no
// signal. It fails the test after the given patience, with what was waited for.
func Await(tb testing.TB, patience time.Duration, what string, ready func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ready(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// awaitEmpty waits until the queue of an MTA is empty. A bounce is queued before its cause is removed,
// and one look can miss both: two looks see it.
func awaitEmpty(tb testing.TB, patience time.Duration, mta string, queued func() int) {
	tb.Helper()
	Await(tb, patience, "the queue of "+mta+" to be empty", func() bool { return queued()+queued() == 0 })
}

// showLog shows the log of a program when the test has failed.
func showLog(tb testing.TB, program string, log func() string) {
	tb.Helper()
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s:\n%s", program, tail(log()))
		}
	})
}

// AwaitListener waits until a program accepts connections at the address, and fails at once when
// the program that should has ended.
func AwaitListener(tb testing.TB, p *Process, network, addr string) {
	tb.Helper()
	Await(tb, 30*time.Second, "connect to "+addr, func() bool {
		select {
		case <-p.Exited():
			tb.Fatalf("%s ended before it listened at %s: %v\n%s", p.cmd.Path, addr, p.Err(), p.Output())
		default:
		}
		conn, err := net.DialTimeout(network, addr, time.Second)
		if err == nil {
			_ = conn.Close() // that it was accepted is what counts
		}
		return err == nil
	})
}
