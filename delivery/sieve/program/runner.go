package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"golang.org/x/text/transform"
)

// A Runner runs programs for the scripts of one account. It is a sieve.Runner, for one goroutine.
type Runner struct {
	Directory *Directory
	// Credential is whom programs run as. [the present user]
	Credential *syscall.Credential
	// User, Home and Host are the account's name and home directory, and the name of this host, as programs find them
	// in their environment. [unset]
	User, Home, Host string
	// Timeout is how long a program may take. [that of the directory]
	Timeout time.Duration
	// LF says that lines of input end with LF. [CRLF]
	LF bool

	outputs []*spool
}

// errTime says that a program took too long.
var errTime = errors.New("it has not ended in time")

// errBusy says that a program did not get its turn.
var errBusy = errors.New("too many programs run already")

// takeTurn waits until fewer programs run than may at once.
func (d *Directory) takeTurn(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: %d", errBusy, d.options.AtOnce))
	defer cancel()
	if d.turns.Acquire(ctx, 1) != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Run implements sieve.Runner.
func (r *Runner) Run(ctx context.Context, j sieve.Job) (a sieve.Answer, err error) {
	timeout := cmp.Or(r.Timeout, r.Directory.options.Timeout)
	if err := r.Directory.takeTurn(ctx, timeout); err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: %v", errTime, timeout))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p := r.process(j, stop)
	if a.Code, err = p.run(ctx); err != nil {
		return a, err
	}
	a.Said = p.said.String()
	if p.output != nil {
		a.Output, a.Size = p.output, p.output.size
	}
	return a, nil
}

// process prepares a program. stop ends it.
func (r *Runner) process(j sieve.Job, stop context.CancelCauseFunc) *process {
	d := r.Directory
	c := exec.Command(filepath.Join(d.options.Path, j.Program), j.Args...)
	c.Dir, c.Env = "/", r.environment(j)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: r.Credential}
	c.WaitDelay = grace
	p := &process{
		check: func() error { return d.check(j.Program) }, command: c,
		exited: make(chan struct{}), release: func() { d.turns.Release(1) },
	}
	if j.Input != nil {
		lines := transform.NewReader(j.Input, &lineEnds{lf: r.LF})
		c.Stdin = &input{from: lines, gate: &p.gate, stop: stop, exited: p.exited}
	}
	if j.MaxOutput > 0 {
		p.output = &spool{dir: r.Directory.options.Spool, limit: j.MaxOutput}
		r.outputs = append(r.outputs, p.output)
		var to io.Writer = p.output
		if j.Command == "filter" { // a message, which may be sent on
			to = transform.NewWriter(to, &lineEnds{})
		}
		c.Stdout = &output{to: to, gate: &p.gate, stop: stop}
	}
	c.Stderr = &output{to: &p.said, gate: &p.gate, stop: stop}
	return p
}

// Close removes what programs wrote. Nothing may read their output any more.
func (r *Runner) Close() error {
	var err error
	for _, o := range r.outputs {
		err = errors.Join(err, o.close())
	}
	r.outputs = nil
	return err
}

// environment is all that a program gets of an environment. The names are Pigeonhole's.
func (r *Runner) environment(j sieve.Job) []string {
	list := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, v := range []struct{ name, value string }{
		{"USER", r.User}, {"HOME", r.Home}, {"HOST", r.Host},
		{"SENDER", j.Envelope.From}, {"RECIPIENT", j.Envelope.To}, {"ORIG_RECIPIENT", j.Envelope.OrigTo},
	} {
		if v.value != "" {
			list = append(list, v.name+"="+v.value)
		}
	}
	return list
}
