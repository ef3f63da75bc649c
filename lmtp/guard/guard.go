// Package guard turns panics into errors, so that a bug costs one delivery or one job, and never
// the server: a panic that no function of its goroutine recovers ends the whole process.
package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// A Panic is the error that a recovered panic becomes.
type Panic struct {
	Value any
	Stack []byte // of the goroutine that panicked

	reported atomic.Bool
}

// Error is the value that was panicked with. The stack is for Report.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Unwrap returns the error that was panicked with, if it was one.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Call calls do, and returns its error. When do panics the error is a *Panic.
func Call(do func() error) (err error) {
	defer Recover(&err)
	return do()
}

// Recover turns the panic of the function that defers it into the error that this function returns:
// defer guard.Recover(&err).
func Recover(err *error) {
	if v := recover(); v != nil {
		*err = caught(v)
	}
}

// caught keeps a Panic that was raised again as it is: its stack says where it began.
func caught(v any) *Panic {
	if p, ok := v.(*Panic); ok {
		return p
	}
	return &Panic{Value: v, Stack: debug.Stack()}
}

// Run calls a job that has no result, and reports its panic to log. It says whether do returned. It
// is for the top of a goroutine: go guard.Run(log, "sweeper", sweep).
func Run(log *slog.Logger, job string, do func()) (returned bool) {
	err := Call(func() error { do(); return nil })
	Report(log, job, err)
	return err == nil
}

// Key is the key of the log attribute which has the value of a panic. Nothing else is logged with it,
// so that a handler of log records counts panics by it.
const Key = "panic"

// Report logs the panic in err, with its stack. It does nothing where there is none, and where the
// same one was reported before: it may have been the error of several copies.
func Report(log *slog.Logger, job string, err error) {
	if p, ok := errors.AsType[*Panic](err); ok && p.reported.CompareAndSwap(false, true) {
		log.Error("panic in a "+job, Key, fmt.Sprint(p.Value), "stack", string(p.Stack))
	}
}
