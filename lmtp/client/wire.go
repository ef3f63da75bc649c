package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Bounds of a reply. RFC 5321 §4.5.3.1.5 allows 512 octets in a line; some servers exceed it.
const (
	maxReplyLine  = 4096
	maxReplyLines = 200
)

// A wire is the connection with its deadlines: bytes out, replies in. One goroutine may
// write while another reads.
type wire struct {
	conn    net.Conn
	secure  *tls.Conn // on conn, once TLS has begun
	in      *bufio.Reader
	options Options
	last    Reply // the last one read: says why a server closed the connection

	mu  sync.Mutex
	err error // why the connection is of no more use
}

func newWire(conn net.Conn, o Options) *wire {
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, maxReplyLine), options: o}
}

func (w *wire) trace(dir byte, line string) {
	if w.options.Trace != nil {
		w.options.Trace(dir, line)
	}
}

// watch makes the end of ctx break every wait on the connection, until stop is called. What
// it does is over when stop returns, lest it break the waits of a later call.
func (w *wire) watch(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		// It fails only on a closed connection, on which no one waits.
		_ = w.conn.SetDeadline(time.Unix(1, 0))
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}

// arm sets a deadline with set. The context is looked at afterwards, so that its end cannot
// fall between: either it is seen here, or watch puts the deadline into the past after us.
func (w *wire) arm(ctx context.Context, set func(time.Time) error, patience time.Duration) error {
	if err := w.broken(); err != nil {
		return err
	}
	// Only a closed connection takes no deadline, and the read or write tells who closed it.
	_ = set(time.Now().Add(patience))
	if ctx.Err() != nil {
		return w.fail(ctx, ctx.Err())
	}
	return nil
}

// errHungUp is a write to a connection that the server has closed. What the server said
// before, a 421 perhaps, is still to be read, and the reader is who reports the end.
var errHungUp = errors.New("connection closed by the server")

// write sends p and waits at most one Timeout for it to be taken.
func (w *wire) write(ctx context.Context, p []byte) error {
	if err := w.arm(ctx, w.conn.SetWriteDeadline, w.options.timeout()); err != nil {
		return err
	}
	var stream io.Writer = w.conn
	if w.secure != nil {
		stream = w.secure
	}
	_, err := stream.Write(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %w", errHungUp, err)
	}
	if err != nil {
		return w.fail(ctx, err)
	}
	return nil
}

// readReply reads one reply, of all its lines, and closes the connection on any error.
func (w *wire) readReply(ctx context.Context, patience time.Duration) (Reply, error) {
	if err := w.arm(ctx, w.conn.SetReadDeadline, patience); err != nil {
		return Reply{}, err
	}
	var r Reply
	for more := true; more; {
		line, err := w.readLine()
		if err != nil {
			return Reply{}, w.fail(ctx, err)
		}
		w.trace('S', line)
		var code int
		var text string
		if code, more, text, err = parseReplyLine(line); err == nil {
			err = r.add(code, text)
		}
		if err != nil {
			return Reply{}, w.fail(ctx, err)
		}
	}
	w.last = r
	return r, nil
}

// readLine reads one line up to its CRLF, which alone ends a line (RFC 5321 §2.3.8).
func (w *wire) readLine() (string, error) {
	line, err := w.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("reply line longer than %d octets", maxReplyLine)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return "", fmt.Errorf("connection closed by the server within a reply: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF) && w.last.Code == 421:
		return "", fmt.Errorf("connection closed by the server, which had replied %s: %w", w.last, err)
	case errors.Is(err, io.EOF):
		return "", fmt.Errorf("connection closed by the server: %w", err)
	case err != nil:
		return "", err
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return "", fmt.Errorf("reply line %s does not end in CRLF", excerpt(text))
	}
	return text, nil
}

// broken returns the error that closed the connection, or nil.
func (w *wire) broken() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// fail closes the connection because of err, or of the context's end, which breaks reads and
// writes with errors of their own. It returns the error that closed the connection.
func (w *wire) fail(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	// The cause is what matters: what Close says of a broken connection says nothing more.
	_ = w.close(err)
	return w.broken()
}

// close closes the connection once; err is what later calls get.
func (w *wire) close(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil
	}
	w.err = err
	return w.conn.Close()
}
