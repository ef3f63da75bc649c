package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// patience is how long anything may take on a busy machine before a test gives up. Nothing
// waits for it that goes well.
const patience = time.Minute

// A server is "doorstep serve" as a process of its own.
type server struct {
	dir      string
	cmd      *exec.Cmd
	out, log transcript // standard output, standard error
	exited   chan struct{}
	err      error // how it ended; read it after exited
}

// launch runs doorstep with the given arguments in dir.
func launch(dir string, args ...string) (*server, error) {
	s := &server{dir: dir, cmd: exec.Command("doorstep", args...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	return s, s.start()
}

// start starts s.cmd in s.dir. Should the test be killed, so is it.
func (s *server) start() error {
	s.cmd.Dir, s.exited = s.dir, make(chan struct{})
	if s.cmd.SysProcAttr == nil {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	s.cmd.SysProcAttr.Pdeathsig, s.cmd.SysProcAttr.Setpgid = syscall.SIGKILL, true
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig comes when the thread ends that forked
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		s.err = s.cmd.Wait()
		s.out.close()
		s.log.close()
		close(s.exited)
	}()
	return <-started
}

// serveConfig runs a server with the given configuration, whose paths are relative to dir, and
// waits until it listens.
func serveConfig(tb testing.TB, dir, configuration string) *server {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o600); err != nil {
		tb.Fatal(err)
	}
	return serveDir(tb, dir)
}

// serveDir is serveConfig where the file is there already.
func serveDir(tb testing.TB, dir string) *server {
	tb.Helper()
	s, err := launch(dir, "serve", "-c", "doorstep.toml")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.kill()
		if tb.Failed() {
			tb.Logf("log of doorstep serve:\n%.20000s", s.log.String())
		}
		if races := s.log.String(); strings.Contains(races, "WARNING: DATA RACE") || strings.Contains(races, "panic") {
			tb.Errorf("doorstep serve has a defect:\n%.20000s", races)
		}
	})
	configuration, err := os.ReadFile(filepath.Join(dir, "doorstep.toml"))
	if err != nil {
		tb.Fatal(err)
	}
	for range bytes.Count(configuration, []byte("[[listen]]")) {
		s.awaitLog(tb, "msg=listening")
	}
	return s
}

// awaitLog waits for a text in the log, after what was awaited before.
func (s *server) awaitLog(tb testing.TB, text string) {
	tb.Helper()
	if err := s.log.await(text); err != nil {
		tb.Fatal(err)
	}
}

// signal sends a signal.
func (s *server) signal(tb testing.TB, sig os.Signal) {
	tb.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		tb.Fatal(err)
	}
}

// exitCode waits for the end, and returns the exit status, -1 for an end by a signal.
func (s *server) exitCode(tb testing.TB) int {
	tb.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		tb.Fatal("doorstep serve does not end")
	}
	return s.cmd.ProcessState.ExitCode()
}

// kill is kill -9, unless it has ended; of the processes that took over from it too.
func (s *server) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // they may have ended
	_ = s.cmd.Process.Kill()                              // where it has no group of its own
	<-s.exited
}

// A transcript is what a process writes, for others to wait for.
type transcript struct {
	mu     sync.Mutex
	text   []byte
	seen   int // how much of text await has gone past
	closed bool
	more   chan struct{} // closed and replaced at each change
}

func (t *transcript) Write(p []byte) (int, error) {
	t.change(func() { t.text = append(t.text, p...) })
	return len(p), nil
}

func (t *transcript) close() { t.change(func() { t.closed = true }) }

func (t *transcript) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	if t.more != nil {
		close(t.more)
		t.more = nil
	}
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// await waits until text comes.
func (t *transcript) await(text string) error {
	end := time.After(patience)
	for {
		found, closed, more := t.look(text)
		switch {
		case found:
			return nil
		case closed:
			return fmt.Errorf("the program ended without %q; it wrote:\n%s", text, t)
		}
		select {
		case <-more:
		case <-end:
			return fmt.Errorf("waited too long for %q; the program wrote:\n%s", text, t)
		}
	}
}

func (t *transcript) look(text string) (found, closed bool, more <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := bytes.Index(t.text[t.seen:], []byte(text)); i >= 0 {
		t.seen += i + len(text)
		return true, t.closed, nil
	}
	if t.more == nil {
		t.more = make(chan struct{})
	}
	return false, t.closed, t.more
}

// plainConfig is a configuration with two accounts, store in ./mail, an LMTP socket ./lmtp and
// what else is given.
func plainConfig(more string) string {
	return `hostname = "mail.example.org"
` + more + `
[[listen]]
address = "unix:lmtp"

[store]
path = "mail/{domain}/{local}/Maildir"

[[domain]]
name = "example.org"

[[user]]
address = "alice@example.org"
aliases = ["postmaster@example.org"]

[[user]]
address = "bob@example.org"
`
}

// place makes a directory for a server, with an empty mail root.
func place(tb testing.TB) string {
	tb.Helper()
	dir := peer.Dir(tb)
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// maildir is an account's Maildir in a place.
func maildir(dir, local string) string {
	return filepath.Join(dir, "mail", "example.org", local, "Maildir")
}

// stored returns the messages that are visible in an account, by file name. Anything in tmp/, and
// any file that does not end as message() does, is an error.
func stored(tb testing.TB, dir, local string) map[string]string {
	tb.Helper()
	if left := names(tb, filepath.Join(maildir(dir, local), "tmp")); len(left) > 0 {
		tb.Errorf("%s: left in tmp: %q", local, left)
	}
	return visible(tb, dir, local)
}

// visible is stored without a look into tmp/, which a killed server may leave files in.
func visible(tb testing.TB, dir, local string) map[string]string {
	tb.Helper()
	messages := map[string]string{}
	for _, name := range names(tb, filepath.Join(maildir(dir, local), "new")) {
		b, err := os.ReadFile(filepath.Join(maildir(dir, local), "new", name))
		if err != nil {
			tb.Fatal(err)
		}
		if !bytes.HasSuffix(b, []byte(lastLine+"\n")) {
			tb.Errorf("%s: partial message %s of %d octets", local, name, len(b))
		}
		messages[name] = string(b)
	}
	return messages
}

// removeAll empties the store, for the next round.
func removeAll(tb testing.TB, dir string) {
	tb.Helper()
	for _, name := range names(tb, filepath.Join(dir, "mail")) {
		if err := os.RemoveAll(filepath.Join(dir, "mail", name)); err != nil {
			tb.Fatal(err)
		}
	}
}

// names lists a directory; one that is not there is empty.
func names(tb testing.TB, dir string) (list []string) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

const lastLine = "the last line"

// message is a whole message with a subject.
func message(subject string) string {
	return "From: <s@example.com>\r\nSubject: " + subject + "\r\n\r\nHello\r\n" + lastLine + "\r\n"
}

// needRoot skips a test that takes root.
func needRoot(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root")
	}
}
