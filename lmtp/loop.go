package lmtp

import (
	"context"
	"errors"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// serve runs the session from its greeting to its end.
func (c *conn) serve() {
	c.work, c.leave = context.WithCancelCause(c.server.running.work)
	defer c.leave(nil)
	c.log.Debug("session begins")
	if hook := c.server.Hooks.Begin; hook != nil {
		hook(c.session)
	}
	if hook := c.server.Hooks.End; hook != nil {
		defer func() { hook(c.session) }()
	}
	defer c.in.Release()
	defer c.abort(nil)
	c.usable = usableVerbs
	err := c.run()
	c.abort(nil) // nothing is left in tmp/ when the log says that the session has ended
	switch {
	case errors.Is(err, errHangUp), isGone(err), c.count.mails == 0 && isReset(err):
		c.log.Debug("session ends", "reason", err)
	default:
		c.log.Info("session broken off", "reason", err)
	}
}

// run is the session from its greeting on. A panic in it is its error: one session must never end the
// server.
func (c *conn) run() error {
	err := guard.Call(c.answer)
	if p := (*guard.Panic)(nil); errors.As(err, &p) {
		guard.Report(c.log, "session", err)
		c.write(replyBroken)
	}
	if flushed := c.out.Flush(); err == nil {
		err = flushed
	}
	return err
}

// answer returns the greeting and then answers commands.
func (c *conn) answer() error {
	if c.server.TLS.Implicit {
		if err := c.handshake(); err != nil {
			return err
		}
	}
	c.write(c.session.greeting())
	for {
		if err := c.step(); err != nil {
			return err
		}
	}
}

// step reads one command line, answers it, and does what it leads to.
func (c *conn) step() error {
	line, err := c.nc.await(c.in.ReadCommand)
	var reply Reply
	if err == nil {
		reply = c.dispatch(line)
	} else {
		reply = c.unreadable(err)
	}
	reply = c.budget(reply)
	if reply.Code != 0 {
		c.write(reply)
	}
	if c.out.Err() != nil {
		return c.out.Err()
	}
	if reply.then != nil {
		return reply.then(c)
	}
	return nil
}
