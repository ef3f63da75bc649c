package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// grace is how long a program may take to stop before it is killed.
const grace = 10 * time.Second

// A Process is a running program.
type Process struct {
	tb     testing.TB
	cmd    *exec.Cmd
	output string        // the file that takes its standard output and error
	exited chan struct{} // closed when the program has ended
	err    error         // how it ended; read it after exited
}

// Start runs cmd in a session of its own and stops it, with SIGTERM, when the test ends. Should
// the test be killed, the kernel sends that signal, or the one that cmd has for it. What it writes, but for
// a standard output that cmd has already, is Output.
func Start(tb testing.TB, cmd *exec.Cmd) *Process {
	tb.Helper()
	p := &Process{tb: tb, cmd: cmd, output: filepath.Join(Dir(tb), "output"), exited: make(chan struct{})}
	// A file, not a pipe: a pipe is open until the last grandchild has closed it.
	file, err := os.Create(p.output)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = file
	}
	cmd.Stderr = file
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setsid = true
	if cmd.SysProcAttr.Pdeathsig == 0 {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		tb.Fatalf("start %s: %v", cmd.Path, err)
	}
	tb.Cleanup(func() {
		p.Stop()
		if tb.Failed() {
			tb.Logf("output of %s:\n%s", cmd.Path, tail(p.Output()))
		}
	})
	return p
}

// run starts the program and waits for it on one thread: the signal of a parent's death is
// sent when the *thread* that forked ends, and an idle thread of the Go runtime may end.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.err = p.cmd.Wait()
		close(p.exited)
	}
}

// Pid is the program's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Output is what the program has written to its standard output and error.
func (p *Process) Output() string {
	p.tb.Helper()
	return read(p.tb, p.output)
}

// Signal sends a signal to the program alone.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Exited is closed when the program has ended; Err then says how.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err waits for the end of the program and returns its error, nil for exit status 0.
func (p *Process) Err() error {
	<-p.exited
	return p.err
}

// Stop ends the program, if it still runs, and waits for its end. Children that outlive it are
// killed with its session's process group.
func (p *Process) Stop() {
	// A signal that finds no process is no error: the program may have ended by itself.
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(grace):
		_ = p.Signal(syscall.SIGKILL)
	}
	<-p.exited
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
}
