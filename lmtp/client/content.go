package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// blockSize is how much content goes into one write: each has a Timeout of its own.
const blockSize = 32 << 10

// A contentPath is what content goes through, kept from message to message.
type contentPath struct {
	in  []byte
	out *bufio.Writer
}

// begin returns the path to w.
func (p *contentPath) begin(w io.Writer) (in []byte, out *bufio.Writer) {
	if p.out == nil {
		p.in, p.out = make([]byte, blockSize), bufio.NewWriterSize(nil, blockSize)
	}
	p.out.Reset(w)
	return p.in, p.out
}

// content sends the message. A server that hangs up meanwhile may have said why, so that is
// no error here: the replies are read next.
func (t *transaction) content(ctx context.Context) error {
	c := t.client
	in, out := c.content.begin(block{ctx, c.wire})
	dots := &dotWriter{w: out}
	err := t.copyTo(dots, in)
	t.result.Octets = dots.octets
	c.wire.trace('C', fmt.Sprintf("… (%d octets of content)", dots.octets))
	if errors.Is(err, errHungUp) {
		return nil
	}
	if err == nil {
		c.wire.trace('C', ".")
	}
	return err
}

// copyTo copies the content. When it cannot be read to its end, only closing the connection
// keeps the server from delivering the part as the whole.
func (t *transaction) copyTo(dots *dotWriter, buffer []byte) error {
	if t.message.Content != nil {
		source := &source{r: t.message.Content}
		_, err := io.CopyBuffer(dots, source, buffer)
		if source.err != nil {
			err = fmt.Errorf("read content: %w", source.err)
			_ = t.client.wire.close(err) // the reason is what matters
		}
		if err != nil {
			return err
		}
	}
	t.ended = true
	return dots.Close()
}

// A block writes pieces of content, each with its own patience.
type block struct {
	ctx  context.Context
	wire *wire
}

func (b block) Write(p []byte) (int, error) {
	if err := b.wire.write(b.ctx, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// A source remembers that reading was what failed.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
