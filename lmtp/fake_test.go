package lmtp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
)

// A fakeHandler is a Handler that does as its functions say (nil: all goes well), writes down
// what it was asked, and watches that the Server keeps to the contract of Transaction.
type fakeHandler struct {
	onMail   func() error
	onRcpt   func(to string) error
	onWrite  func(p []byte) (int, error)
	onCommit func(ctx context.Context, tx *fakeTx) <-chan error
	onAbort  func()

	mu     sync.Mutex
	txs    []*fakeTx
	broken []string // breaches of the contract
}

// A fakeTx is one message. Its fields may be read when the session has ended.
type fakeTx struct {
	h       *fakeHandler
	env     *Envelope
	rcpts   []string // accepted
	params  []Recipient
	content bytes.Buffer
	writes  int
	commits int
	aborts  []error
	failed  bool // Write has returned an error
}

func (h *fakeHandler) Mail(_ context.Context, _ *Session, env *Envelope) (Transaction, error) {
	if h.onMail != nil {
		if err := h.onMail(); err != nil {
			return nil, err
		}
	}
	tx := &fakeTx{h: h, env: env}
	h.mu.Lock()
	h.txs = append(h.txs, tx)
	h.mu.Unlock()
	return tx, nil
}

func (h *fakeHandler) breach(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = append(h.broken, fmt.Sprintf(format, args...))
}

func (tx *fakeTx) ended() bool { return tx.commits+len(tx.aborts) > 0 }

func (tx *fakeTx) Rcpt(_ context.Context, r *Recipient) error {
	if tx.writes > 0 || tx.ended() {
		tx.h.breach("Rcpt after Write, Commit or Abort")
	}
	if tx.h.onRcpt != nil {
		if err := tx.h.onRcpt(r.To.String()); err != nil {
			return err
		}
	}
	tx.rcpts = append(tx.rcpts, r.To.String())
	tx.params = append(tx.params, *r)
	return nil
}

func (tx *fakeTx) Write(p []byte) (int, error) {
	if len(tx.rcpts) == 0 || tx.failed || tx.ended() {
		tx.h.breach("Write without a recipient, after an error, or after the end")
	}
	if len(p) == 0 {
		tx.h.breach("Write of nothing")
	}
	tx.writes++
	if tx.h.onWrite != nil {
		tx.failed = true // also when it panics
		n, err := tx.h.onWrite(p)
		tx.failed = err != nil
		return n, err
	}
	return tx.content.Write(p)
}

func (tx *fakeTx) Commit(ctx context.Context) <-chan error {
	if len(tx.rcpts) == 0 || tx.failed || tx.ended() {
		tx.h.breach("Commit without a recipient, after an error, or after the end")
	}
	tx.commits++
	if tx.h.onCommit != nil {
		return tx.h.onCommit(ctx, tx)
	}
	return outcomes(make([]error, len(tx.rcpts))...)
}

func (tx *fakeTx) Abort(why error) {
	if tx.ended() {
		tx.h.breach("Abort after the end")
	}
	tx.aborts = append(tx.aborts, why)
	if tx.h.onAbort != nil {
		tx.h.onAbort()
	}
}

// outcomes is a Commit that knows everything at once.
func outcomes(errs ...error) <-chan error {
	out := make(chan error, len(errs))
	for _, err := range errs {
		out <- err
	}
	close(out)
	return out
}

// check reports breaches. All sessions must have ended: every transaction is then committed
// or aborted, and not both.
func (h *fakeHandler) check(t testing.TB) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.broken {
		t.Errorf("contract of Transaction: %s", b)
	}
	for i, tx := range h.txs {
		if tx.commits+len(tx.aborts) != 1 {
			t.Errorf("transaction %d: %d Commit and %d Abort, want one in all", i, tx.commits, len(tx.aborts))
		}
	}
}

// only returns the one transaction there was.
func (h *fakeHandler) only(t testing.TB) *fakeTx {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.txs) != 1 {
		t.Fatalf("%d transactions, want 1", len(h.txs))
	}
	return h.txs[0]
}

// A nullHandler takes everything and keeps nothing.
type nullHandler struct{}

func (nullHandler) Mail(context.Context, *Session, *Envelope) (Transaction, error) {
	return &nullTx{}, nil
}

type nullTx struct{ n int }

func (tx *nullTx) Rcpt(context.Context, *Recipient) error { tx.n++; return nil }
func (tx *nullTx) Write(p []byte) (int, error)            { return io.Discard.Write(p) }
func (tx *nullTx) Commit(context.Context) <-chan error    { return sameOutcome(nil, tx.n) }
func (tx *nullTx) Abort(error)                            {}
