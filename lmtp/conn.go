package lmtp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

const (
	// maxFailures is how many wrong commands a session may have. A client that sends a
	// message after a 503 sends one with every line of it.
	maxFailures = 20
	// maxIdleCommands is how many commands it may have that bring no message: NOOP, RSET, hello and the like.
	maxIdleCommands = 100
)

// A conn is one session: where it stands, and what it has collected.
type conn struct {
	server  *Server
	nc      *timedConn
	in      *wire.Reader
	out     wire.ReplyWriter
	log     *slog.Logger
	session *Session

	work  context.Context // of what the Handler does for this session
	leave context.CancelCauseFunc

	verb  string // what is being answered
	state state
	tx    transaction // the one that is open, or comes next
	dots  wire.DotDecoder
	count counters

	// usable lists the verbs that the session could use. HELP, which needs them, is itself a row of the command
	// table, and Go has no variable that refers to itself.
	usable func(offer) []string
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
		nc:     &timedConn{server: s, net: nc},
		session: &Session{
			ID:       newSessionID(),
			Protocol: s.Protocol,
			Hostname: s.Hostname,
			Remote:   nc.RemoteAddr(),
			Unix:     nc.RemoteAddr() != nil && nc.RemoteAddr().Network() == "unix",
			Trusted:  s.Peers.Trusted != nil && s.Peers.Trusted(nc),
		},
	}
	if s.Peers.User != nil {
		c.session.Peer = s.Peers.User(nc)
	}
	c.log = s.logOf(c.session)
	c.verb = verbConnect
	c.out = wire.NewReplyWriter(c.nc)
	c.in = wire.NewReader(c.nc, c.beforeRead)
	return c
}

// refuse answers a connection that is not served.
func (c *conn) refuse(r Reply) {
	if c.server.TLS.Implicit {
		return // in the clear it would be no reply, and a handshake costs more than the reply is worth
	}
	c.write(r)
	if err := c.out.Flush(); err != nil {
		c.log.Debug("connection refused, and the client has gone", "error", err)
	}
}

// write adds a reply to those pending. It is the only way from a Reply to the client.
func (c *conn) write(r Reply) {
	c.reportReply(r)
	c.out.Write(r.Code, r.Enhanced, r.Text)
}

// unreadable answers a line that could not be read, or ends the session without a word.
func (c *conn) unreadable(err error) Reply {
	c.verb = verbUnknown
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
	}
	if r := c.timedOut(err); r.Code != 0 {
		return r
	}
	return Reply{then: func(*conn) error { return err }}
}

// budget counts wrong commands, and those that bring no message, and ends a session with too many of them.
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

// beforeRead runs before each read that may block: what the client is waiting for must be
// on its way (RFC 2920 §3.2), and the wait must have an end.
func (c *conn) beforeRead() error {
	if err := c.out.Flush(); err != nil {
		return err
	}
	return c.nc.beforeRead()
}

// timedOut is the reply to a client that took too long, or that a shutdown interrupts; the zero Reply if err, that of a
// read, is another. The log has the time limit.
func (c *conn) timedOut(err error) Reply {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return Reply{}
	case c.nc.wasInterrupted():
		return replyShutdown
	}
	limit, value := c.nc.exceeded()
	c.log.Info("session ended", "limit", limit, "value", value)
	return replyIdle
}

// abort drops the open transaction, if there is one, and makes the session ready for the next; why is the answer to
// the accepted recipients.
func (c *conn) abort(why error) {
	c.tx.drop(c.log, why)
	c.endTransaction()
}

// endTransaction makes the session ready for the next MAIL.
func (c *conn) endTransaction() {
	c.tx = transaction{}
	c.nc.endContent()
	if c.state > stateReady {
		c.state = stateReady
	}
}

// isGone reports whether err only says that the peer went away.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}

// isReset reports whether err says that the peer has reset the connection. Load balancers end their checks so.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// reportReply calls the hook for a reply, unless the client is gone.
func (c *conn) reportReply(r Reply) {
	if hook := c.server.Hooks.Reply; hook != nil && c.out.Err() == nil {
		hook(c.session, c.verb, r)
	}
}
