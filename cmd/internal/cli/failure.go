// Package cli has what the verbs have in common: failures with hints, arguments and flags, the configuration, orders to
// the running server, and how things are printed.
package cli

import (
	"errors"
)

// Exit codes.
const (
	ExitOK      = 0
	ExitFailure = 1
	ExitUsage   = 2
)

// A Failure is an error with what the person at the terminal can do about it.
type Failure struct {
	Code int
	Err  error // nil when everything has been said
	Hint string
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return "failed"
	}
	return f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// Failed is a failure at run time.
func Failed(err error, hint string) *Failure {
	return &Failure{ExitFailure, err, hint}
}

// Usage is a mistake on the command line or in the configuration.
func Usage(err error, hint string) *Failure {
	return &Failure{ExitUsage, err, hint}
}

// HintOf is the hint of an error that has one.
func HintOf(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Hint
	}
	return ""
}
