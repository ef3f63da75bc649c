package program

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"golang.org/x/sys/unix"
)

const (
	// grace is how long a program may take to end after SIGTERM, and its output to end after it.
	grace = time.Second
	// patience is how long SIGKILL may take: what waits for a file system that hangs does not end.
	patience = 2 * time.Second
)

var (
	errKill = errors.New("it has not ended in time, and cannot be killed")
	errOpen = errors.New("it has ended, and something that it started keeps its output open")
)

// A process is a program that runs, with all that it starts in a process group of its own.
type process struct {
	check   func() error // before it is started
	command *exec.Cmd
	output  *spool // nil for none
	said    beginning
	gate    gate          // of its input and output
	exited  chan struct{} // closed when the program has exited; it has yet to be waited for
	release func()        // called when nothing is left of the program
}

// run runs the program until it has ended, or ctx has. It returns the exit code.
func (p *process) run(ctx context.Context) (code int, err error) {
	started := make(chan error, 1)
	go p.start(started)
	select {
	case err := <-started:
		if err != nil {
			p.release()
			return 0, err
		}
	case <-ctx.Done(): // the file system of the program hangs
		p.gate.close()
		go p.bury(started)
		return 0, context.Cause(ctx)
	}
	stopped, dead := p.await(ctx)
	if !dead {
		p.gate.close()
		started <- nil
		go p.bury(started)
		return 0, errKill
	}
	err = p.command.Wait()
	p.release()
	if code, err = p.outcome(stopped, err); err != nil && p.said.Len() > 0 {
		err = fmt.Errorf("%w, saying %q", err, p.said.String())
	}
	return code, err
}

// start starts the program, which may hang.
func (p *process) start(started chan<- error) {
	started <- guard.Call(func() error {
		if err := p.check(); err != nil {
			return err
		}
		if err := p.command.Start(); err != nil {
			return explain(err)
		}
		go p.watch()
		return nil
	})
}

// watch notes when the program has exited. It stays a zombie until it is waited for, so that its number, which is that
// of the group, is not another's.
func (p *process) watch() {
	defer close(p.exited)
	_ = guard.Call(func() error { // an error is that of Wait too
		for {
			err := unix.Waitid(unix.P_PID, p.command.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	})
}

// await returns when the program has exited, with all of its group, or when it cannot be killed. It ends it when ctx
// ends, for the cause that it returns.
func (p *process) await(ctx context.Context) (stopped error, dead bool) {
	select {
	case <-p.exited:
	case <-ctx.Done():
		stopped = context.Cause(ctx)
		p.signal(unix.SIGTERM)
		p.exitsWithin(grace)
	}
	p.signal(unix.SIGKILL)
	return stopped, p.exitsWithin(patience)
}

func (p *process) exitsWithin(d time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(d):
		return false
	}
}

// signal sends a signal to the group. That nothing is left of it is fine.
func (p *process) signal(s unix.Signal) { _ = unix.Kill(-p.command.Process.Pid, s) }

// bury waits for a program that could not be killed, or comes to be started too late. Its turn lasts until it has
// ended.
func (p *process) bury(started <-chan error) {
	_ = guard.Call(func() error {
		defer p.release()
		if err := <-started; err != nil {
			return err
		}
		p.signal(unix.SIGKILL)
		return p.command.Wait()
	})
}

// outcome is what came of a program that has ended, because of stopped if that is not nil.
func (p *process) outcome(stopped, waited error) (code int, err error) {
	var exit *exec.ExitError
	switch {
	case stopped != nil:
		return 0, stopped
	case p.output != nil && p.output.err != nil:
		return 0, p.output.err
	case errors.Is(waited, exec.ErrWaitDelay) && p.output == nil:
		return 0, nil // whatever it started has closed nothing that is of account
	case errors.Is(waited, exec.ErrWaitDelay):
		return 0, errOpen
	case !errors.As(waited, &exit):
		return 0, waited
	case !exit.Exited():
		return 0, fmt.Errorf("it was ended by a signal: %v", exit.Sys().(syscall.WaitStatus).Signal())
	}
	return exit.ExitCode(), nil
}

// explain says what can be done about a program that cannot be started.
func explain(err error) error {
	for cause, hint := range map[error]string{
		unix.ENOENT:  "the interpreter that its first line names is not there",
		unix.ENOEXEC: "its first line has to be #! and an interpreter, such as #!/bin/sh",
		unix.EACCES:  "the owner of the mailbox has to be able to execute it: chmod 755",
		unix.EPERM:   "the server may not run programs as the owner of the mailbox",
	} {
		if errors.Is(err, cause) {
			return &sieve.Hinted{Err: err, Hint: hint}
		}
	}
	return err
}
