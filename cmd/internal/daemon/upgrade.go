package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"golang.org/x/sys/unix"
)

// An UpgradeReport is what came of an upgrade.
type UpgradeReport struct {
	Old   int    `json:"old"` // process ids
	New   int    `json:"new,omitempty"`
	Error string `json:"error,omitempty"`
}

func (r UpgradeReport) String() string {
	if r.Error != "" {
		return ""
	}
	return fmt.Sprintf("upgraded: process %d serves, %d finishes its sessions\n", r.New, r.Old)
}

// startPatience is how long a new process may take to become ready.
const startPatience = time.Minute

// upgrade starts the program anew and leaves it the sockets. It informs the log too.
func (d *daemon) upgrade() UpgradeReport {
	r := UpgradeReport{Old: os.Getpid()}
	if err := d.takeOrder(); err != nil {
		r.Error = err.Error()
		d.log.Error("not upgraded, this process goes on", "error", err)
		return r
	}
	defer d.orders.Release(1)
	var pid int
	var err error
	if stopping := d.instances.unlessLeaving("upgrade", func() {
		err = guard.Call(func() (err error) {
			pid, err = d.startSuccessor()
			return err
		})
	}); stopping != nil {
		r.Error = stopping.Error()
		return r
	}
	guard.Report(d.log, "upgrade", err)
	if err != nil {
		r.Error = "not upgraded, the old process goes on: " + err.Error()
		d.log.Error("not upgraded, this process goes on", "error", err)
		return r
	}
	r.New = pid
	d.log.Info("upgraded", "new", pid)
	d.notifier.replacedBy(pid)
	if err := d.sockets.leave(); err != nil {
		d.log.Error("upgrade", "error", err)
	}
	return r
}

// upgraded ends this process where an upgrade succeeded, once who ordered it has the answer.
func (d *daemon) upgraded(r UpgradeReport) {
	if r.Error == "" {
		close(d.replaced)
	}
}

// startSuccessor starts the new process, waits until it is ready and leaves the mail to it. Where this one is asked to
// stop meanwhile, the new one ends too: there must be none that is not known of.
func (d *daemon) startSuccessor() (pid int, err error) {
	program, err := ownProgram()
	if err != nil {
		return 0, err
	}
	said, say, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer said.Close()
	cmd := exec.Command(program, os.Args[1:]...) //nolint:noctx // it goes on when this process has ended
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{say}
	cmd.SysProcAttr = successorAttributes(d.started.Store)
	d.notifier.adopt(cmd)
	names, err := d.sockets.handOver(cmd)
	if err == nil {
		// WATCHDOG_PID names this process; what is meant for the service has to reach the new one.
		env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "WATCHDOG_PID=") })
		cmd.Env = append(append(env, d.sandbox.environment()...), handedOver+"="+strings.Join(names, "\n"))
		err = cmd.Start()
	}
	for _, file := range cmd.ExtraFiles { // copies
		file.Close()
	}
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", program, err)
	}
	if err := said.SetReadDeadline(time.Now().Add(startPatience)); err != nil {
		return 0, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	ended := make(chan struct{})
	defer close(ended)
	go guard.Run(d.log, "upgrade", func() {
		select {
		case <-d.instances.left:
			_ = said.SetReadDeadline(time.Now()) // it may be read to the end, and closed
		case <-ended:
		}
	})
	word, err := io.ReadAll(io.LimitReader(said, 4096))
	if string(word) == readyWord {
		if err := d.instances.leaveTo(); err != nil {
			return 0, errors.Join(err, cmd.Process.Signal(syscall.SIGTERM)) // it may have begun a delivery
		}
	} else {
		switch {
		case len(word) > 0:
			err = errors.New(string(word))
		case err == nil:
			err = errors.New("it ended before it was ready")
		}
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // how it ended says nothing more
		return 0, fmt.Errorf("the new process did not become ready: %w", err)
	}
	go guard.Run(d.log, "upgrade", func() { _ = cmd.Wait() }) // for as long as both live, unless it is the manager's child
	return cmd.Process.Pid, nil
}

// ownProgram is the program under the name that it was started by: what is installed there now.
func ownProgram() (string, error) {
	program, err := exec.LookPath(os.Args[0])
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return "", fmt.Errorf("find the program: %w", err)
	}
	return program, nil
}

const readyWord = "ready"

// A handshake is the pipe to the process that this one takes the place of; nil if there is none.
type handshake struct{ pipe *os.File }

// NewHandshake takes the pipe. It must be called before the sockets are inherited.
func NewHandshake() *handshake {
	if os.Getenv(handedOver) == "" {
		return nil
	}
	unix.CloseOnExec(firstInherited)
	return &handshake{os.NewFile(firstInherited, "ready")}
}

// Done says how the start went: err is nil when all sockets are served. Only the first word counts.
func (h *handshake) Done(err error) {
	if h == nil || h.pipe == nil {
		return
	}
	word := readyWord
	if err != nil {
		word = err.Error()
	}
	// The old process may be gone.
	_, _ = io.WriteString(h.pipe, word)
	_ = h.pipe.Close()
	h.pipe = nil
}
