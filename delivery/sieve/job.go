package sieve

import (
	"context"
	"errors"
	"io"
)

// A Runner runs the programs that scripts may use: which those are, as whom they run and for how long is its business.
type Runner interface {
	// Run runs a program to its end. An exit code other than 0 is an answer; an error is what kept the program from
	// running to its end, or its output from being read. ErrNoProgram is one.
	Run(ctx context.Context, j Job) (Answer, error)
}

// ErrNoProgram says that no program has the name.
var ErrNoProgram = errors.New("there is no such program")

// A Job is a program to be run for a message.
type Job struct {
	// Command is that of the script: "pipe", "filter" or "execute".
	Command string
	// Program is its name: UTF-8 without a slash, and neither "." nor "..".
	Program string
	// Args are at most 32 of 1024 octets each, without controls but tabs.
	Args []string
	// Input is what it reads; nil for nothing.
	Input io.Reader
	// MaxOutput is how many octets it may write; more are an error. 0 if the output is of no account. Lines of a message,
	// which filter has written, end with CRLF afterwards.
	MaxOutput int64
	// Envelope is that of the message.
	Envelope Envelope
}

// An Answer is what is known of a program that ran to its end.
type Answer struct {
	// Code is its exit code.
	Code int
	// Output is what it wrote, of Size octets, where that was wanted. It can be read until the runner is closed.
	Output io.ReaderAt
	Size   int64
	// Said is the beginning of what it wrote to its standard error.
	Said string
}

// A Hinted error has what can be done about it.
type Hinted struct {
	Err  error
	Hint string
}

func (h *Hinted) Error() string { return h.Err.Error() }

// Unwrap returns the error without the hint.
func (h *Hinted) Unwrap() error { return h.Err }
