package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// A host is what the launchers of package peer take for a test: they fail it, and leave with
// it what is to be done at its end.
type host struct {
	testing.TB // for what no launcher calls
	cleanups   []func()
	err        error
}

// errStop unwinds a launcher that has failed.
type errStop struct{ error }

// launch runs a launcher and gives its failure.
func (h *host) launch(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stop, ok := p.(errStop)
			if !ok {
				panic(p)
			}
			err = stop.error
		}
	}()
	f()
	return h.err
}

// end stops what was launched, last first.
func (h *host) end() {
	for _, f := range slices.Backward(h.cleanups) {
		f()
	}
	h.cleanups = nil
}

func (h *host) Helper()          {}
func (h *host) Failed() bool     { return h.err != nil }
func (h *host) Cleanup(f func()) { h.cleanups = append(h.cleanups, f) }

func (h *host) Logf(format string, args ...any) { say(format, args...) }

func (h *host) Errorf(format string, args ...any) {
	h.err = errors.Join(h.err, fmt.Errorf(format, args...))
}

func (h *host) Fatalf(format string, args ...any) {
	h.Errorf(format, args...)
	panic(errStop{h.err})
}

func (h *host) Fatal(args ...any)                { h.Fatalf("%s", fmt.Sprint(args...)) }
func (h *host) Error(args ...any)                { h.Errorf("%s", fmt.Sprint(args...)) }
func (h *host) Skip(args ...any)                 { h.Fatal(args...) }
func (h *host) Skipf(format string, args ...any) { h.Fatalf(format, args...) }
