package ldap

import (
	"context"
	"errors"
	"fmt"
	"sync"

	client "github.com/go-ldap/ldap/v3"

	"golang.org/x/sync/semaphore"
)

// A pool holds connections that are bound, and opens them when they are needed. A connection has one
// question at a time.
type pool struct {
	dialer dialer
	turns  *semaphore.Weighted // bounds the connections

	mu     sync.Mutex
	idle   []*client.Conn
	closed bool
}

var errClosed = errors.New("the directory is closed")

func newPool(o Options, servers []server) *pool {
	return &pool{dialer: dialer{options: o, servers: servers}, turns: semaphore.NewWeighted(int64(o.Connections))}
}

// search asks a question. That a connection was lost since its last answer, because the server
// went or was impatient, is no error yet: it is asked again on a new one.
func (p *pool) search(ctx context.Context, request *client.SearchRequest) (*client.SearchResult, error) {
	if p.turns.Acquire(ctx, 1) != nil {
		return nil, fmt.Errorf("wait for a connection: %w", context.Cause(ctx))
	}
	defer p.turns.Release(1)
	for {
		conn, err := p.take()
		if err != nil {
			return nil, err
		}
		used := conn != nil
		if !used {
			if conn, err = p.dialer.dial(ctx); err != nil {
				return nil, err
			}
		}
		result, err := ask(ctx, conn, request)
		if err == nil || !isLost(err) {
			p.give(conn)
			return result, err
		}
		_ = conn.Close() // it is of no use any more
		if !used || ctx.Err() != nil {
			return nil, errors.Join(err, context.Cause(ctx))
		}
	}
}

// ask asks a question, for no longer than ctx lasts.
func ask(ctx context.Context, conn *client.Conn, request *client.SearchRequest) (*client.SearchResult, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	result, err := conn.Search(request)
	if !stop() && err == nil {
		err = context.Cause(ctx) // and the connection has gone
	}
	return result, err
}

// isLost reports whether an error is that of a connection, or leaves it in a state that is not
// known. What the server answers has one of the codes of RFC 4511.
func isLost(err error) bool {
	var answered *client.Error
	if !errors.As(err, &answered) || answered.ResultCode >= client.ErrorNetwork {
		return true
	}
	switch answered.ResultCode {
	case client.LDAPResultUnavailable, client.LDAPResultBusy, client.LDAPResultOperationsError,
		client.LDAPResultInsufficientAccessRights, client.LDAPResultConfidentialityRequired:
		return true // a new connection binds anew, perhaps to another server
	}
	return false
}

// take returns an idle connection, nil for none.
func (p *pool) take() (*client.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	for len(p.idle) > 0 {
		last := len(p.idle) - 1
		conn := p.idle[last]
		p.idle = p.idle[:last]
		if !conn.IsClosing() {
			return conn, nil
		}
	}
	return nil, nil
}

func (p *pool) give(conn *client.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || conn.IsClosing() {
		_ = conn.Close()
		return
	}
	p.idle = append(p.idle, conn)
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var err error
	for _, conn := range p.idle {
		err = errors.Join(err, conn.Close())
	}
	p.idle = nil
	return err
}
