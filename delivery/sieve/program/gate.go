package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A gate is what the input and output of a program pass, until it is closed: a program that cannot be killed must not
// touch afterwards what belongs to another message.
type gate struct {
	mu     sync.Mutex
	closed bool
}

func (g *gate) pass(do func() (int, error)) (n int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, os.ErrClosed
	}
	err = guard.Call(func() error { // this is a goroutine of os/exec
		n, err = do()
		return err
	})
	return n, err
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// An input is what a program reads.
type input struct {
	from   io.Reader
	gate   *gate
	stop   context.CancelCauseFunc // ends the program
	exited <-chan struct{}
}

// Read implements io.Reader. After an error the program is ended before it sees an end of its input: what it has is not
// the whole message.
func (i *input) Read(b []byte) (n int, err error) {
	n, err = i.gate.pass(func() (int, error) { return i.from.Read(b) })
	if err != nil && !errors.Is(err, io.EOF) {
		i.stop(fmt.Errorf("read the message: %w", err))
		<-i.exited
	}
	return n, err
}

// An output is what a program writes.
type output struct {
	to   io.Writer
	gate *gate
	stop context.CancelCauseFunc // ends the program
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (n int, err error) {
	n, err = o.gate.pass(func() (int, error) { return o.to.Write(b) })
	if err != nil {
		o.stop(err)
	}
	return n, err
}
