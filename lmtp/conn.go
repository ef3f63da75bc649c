package lmtp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

const (
	// maxFailures is how many wrong commands a session may give. A client that sends a
	// message after a 503 sends one with every line of it.
	maxFailures = 20
	// maxIdleCommands is how many commands it may give that bring no message: NOOP, RSET, hello and the like.
	maxIdleCommands = 100
)

// A conn is one session: where it stands, and what it has collected.
type conn struct {
	server  *Server
	net     net.Conn
	in      *wire.Reader
	out     wire.ReplyWriter
	log     *slog.Logger
	session *Session

	verbs []verb // the command table: HELP is a row of it, and Go has no variable that refers to itself
	verb  string // what is being answered
	state state
	tx    transaction // the one that is open, or comes next
	dots  wire.DotDecoder
	count counters

	pace   pace      // of the content that comes
	readBy time.Time // when the current read must have brought something

	mu          sync.Mutex
	waiting     bool      // for a command, so that a shutdown may interrupt
	interrupted bool      // by a shutdown
	commandBy   time.Time // when the command being read must be whole; zero: not waited for yet
	cutAt       time.Time // not zero: no deadline may be later
}

// A transaction is the state of one mail transaction (RFC 5321 §3.3). Its zero value is the state before MAIL.
type transaction struct {
	handler  Transaction // nil before MAIL, and when it has been committed or aborted
	envelope *Envelope
	success  string    // the text of a reply for a recipient who has the message
	rcpt     Recipient // of the RCPT being answered
	rcpts    int       // RCPT commands, refused ones too
	accepted int       // those that were accepted: each gets one reply
	content  content   // what has come by BDAT, or is coming by DATA
	forward  *Origin   // what XFORWARD said of the next message
	wholeBy  time.Time // when what is being read must have come; zero: no such bound
}

// The counters of a session are what its limits are compared with.
type counters struct {
	mails        int   // MAIL commands, refused ones too
	skipped      int64 // octets of chunks that were read and dropped since the last message
	failures     int   // wrong commands
	authFailures int   // wrong credentials
	idleCommands int   // since the last message
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		server: s,
		net:    nc,
		session: &Session{
			ID:       newSessionID(),
			Protocol: s.Protocol,
			Hostname: s.Hostname,
			Remote:   nc.RemoteAddr(),
			Unix:     nc.RemoteAddr() != nil && nc.RemoteAddr().Network() == "unix",
			Trusted:  s.Trusted != nil && s.Trusted(nc),
		},
	}
	if s.Peer != nil {
		c.session.Peer = s.Peer(nc)
	}
	c.log = c.logger()
	c.verbs, c.verb = verbs[:], VerbConnect
	c.out = wire.NewReplyWriter(deadlineWriter{c})
	c.in = wire.NewReader(pacedReader{c}, c.beforeRead)
	return c
}

// refuse answers a connection that is not served.
func (c *conn) refuse(r Reply) {
	if c.server.ImplicitTLS {
		return // in the clear it would be no reply, and a handshake costs more than it tells
	}
	c.write(r)
	if err := c.out.Flush(); err != nil {
		c.log.Debug("connection refused, and nobody there to be told", "error", err)
	}
}

// write adds a reply to those pending. It is the only way from a Reply to the client.
func (c *conn) write(r Reply) {
	c.replies(r)
	c.out.Write(r.Code, r.Enhanced, r.Text)
}

// greeting opens a session (RFC 5321 §4.3.1).
func (c *conn) greeting() Reply {
	return Reply{Code: 220, Text: c.server.Hostname + " " + c.server.Protocol.String() + " Doorstep ready"}
}

// unreadable answers a line that could not be read, or ends the session without a word.
func (c *conn) unreadable(err error) Reply {
	c.verb = VerbUnknown
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		return replyLineLong
	case errors.Is(err, wire.ErrLineEnd):
		return replyLineEnd
	case errors.Is(err, wire.ErrFlood):
		c.log.Info("session ended", "limit", "line", "value", wire.MaxLine+wire.MaxSkipped)
		return replyTooMany
	case errors.Is(err, wire.ErrClientHello):
		return replyClientHello
	case errors.Is(err, os.ErrDeadlineExceeded) && c.wasInterrupted():
		return replyShutdown
	case errors.Is(err, os.ErrDeadlineExceeded):
		return c.timedOut()
	}
	return Reply{then: func(*conn) error { return err }}
}

// budget counts wrong commands, and ends a session that only gives such.
func (c *conn) budget(r Reply) Reply {
	if r.failed() {
		c.count.failures++
	}
	if c.count.failures > maxFailures || c.count.idleCommands > maxIdleCommands {
		c.log.Info("session refused", "limit", "errors", "failures", c.count.failures, "idle_commands", c.count.idleCommands)
		return replyTooMany
	}
	return r
}

// await reads a line that the client owes; only there may a shutdown interrupt.
func (c *conn) await(read func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	if c.server.closing.Load() {
		c.interrupted = true
		c.mu.Unlock()
		return nil, os.ErrDeadlineExceeded
	}
	c.waiting = true
	c.commandBy = time.Time{}
	c.mu.Unlock()

	line, err := read()

	c.mu.Lock()
	c.waiting = false
	if err == nil {
		c.commandBy = time.Time{} // it is whole: what else is waited for is not a command
	}
	c.mu.Unlock()
	return line, err
}

// beforeRead runs before each read that may block: what the client is waiting for must be
// on its way (RFC 2920 §3.2), and the wait must have an end.
func (c *conn) beforeRead() error {
	if err := c.out.Flush(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted || c.tooSlow() {
		return os.ErrDeadlineExceeded
	}
	return c.net.SetReadDeadline(c.lookAt(c.readDeadline()))
}

// readDeadline is when the next read must have brought something. For a command it is set
// once, or a client could stretch one line for ever by an octet at a time; content must go
// on coming, and be there within a time that is set once too. c.mu is held.
func (c *conn) readDeadline() time.Time {
	if !c.waiting {
		return c.notAfterCut(earlier(time.Now().Add(c.server.DataTimeout), c.tx.wholeBy))
	}
	if c.commandBy.IsZero() {
		c.commandBy = time.Now().Add(c.server.IdleTimeout)
	}
	return c.notAfterCut(earlier(c.commandBy, c.tx.wholeBy)) // wholeBy: between two chunks
}

// notAfterCut gives t, or an earlier time where the session is being cut. c.mu is held.
func (c *conn) notAfterCut(t time.Time) time.Time { return earlier(t, c.cutAt) }

// earlier gives t, or limit where that is earlier; the zero limit is none.
func earlier(t, limit time.Time) time.Time {
	if !limit.IsZero() && limit.Before(t) {
		return limit
	}
	return t
}

// timedOut ends a session that was waited for in vain, and logs for how long.
func (c *conn) timedOut() Reply {
	limit, value := "data_timeout", c.server.DataTimeout
	switch {
	case c.pace.slow:
		c.log.Info("session ended", "limit", "min_data_rate", "value", c.server.MinDataRate)
		return replyIdle
	case c.state >= stateMail && !c.tx.wholeBy.IsZero() && !time.Now().Before(c.tx.wholeBy):
		limit, value = "transfer_timeout", c.server.TransferTimeout
	case !c.commandBy.IsZero():
		limit, value = "idle_timeout", c.server.IdleTimeout
	}
	c.log.Info("session ended", "limit", limit, "value", value)
	return replyIdle
}

// interrupt ends the wait for a command; a session in the middle of a message goes on.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		c.interrupted = true
		c.net.SetReadDeadline(time.Unix(1, 0)) // a connection that cannot be told is closed already
	}
}

func (c *conn) wasInterrupted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.interrupted
}

// cut gives the session lastWords to answer for its recipients and end.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	c.cutAt = time.Now().Add(lastWords)
	c.net.SetReadDeadline(time.Unix(1, 0)) // as in interrupt
	c.net.SetWriteDeadline(c.cutAt)
}

// A deadlineWriter bounds the wait for a client that does not read its replies.
type deadlineWriter struct{ c *conn }

func (w deadlineWriter) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	err := w.c.net.SetWriteDeadline(w.c.notAfterCut(time.Now().Add(w.c.server.IdleTimeout)))
	w.c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return w.c.net.Write(p)
}

// abort drops the open transaction, if there is one, and makes the session ready for the
// next; why is what the recipients are told.
func (c *conn) abort(why error) {
	c.drop(why)
	c.endTransaction()
}

// drop tells the Handler that the transaction is over, which it may only be told once.
func (c *conn) drop(why error) {
	if c.tx.handler == nil {
		return
	}
	tx := c.tx.handler
	c.tx.handler = nil
	guard.Run(c.log, "handler", func() { tx.Abort(why) })
}

// endTransaction makes the session ready for the next MAIL.
func (c *conn) endTransaction() {
	c.tx = transaction{}
	if c.state > stateReady {
		c.state = stateReady
	}
}

// context is that of the work for this session.
func (c *conn) context() context.Context { return c.server.work }

// logger names the session and its peer in each line.
func (c *conn) logger() *slog.Logger {
	return c.server.Log.With("session", c.session.ID, "peer", c.session.PeerName())
}

// lastWords is how long a session may take to answer for its recipients once it is cut.
const lastWords = 2 * time.Second

// isGone reports whether err only says that the peer went away.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}

// replies tells of a reply, unless the client is gone.
func (c *conn) replies(r Reply) {
	if hook := c.server.Hooks.Reply; hook != nil && c.out.Err() == nil {
		hook(c.session, c.verb, r)
	}
}
