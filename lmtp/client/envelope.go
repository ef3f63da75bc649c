package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A command is one line of the envelope, with what its reply means to the transaction.
type command struct {
	line  string
	wants int         // the class of the favorable reply: 2, or 3 for DATA
	take  func(Reply) // puts the reply where it belongs
	skip  func() bool // lock-step only: nothing can come of it any more
}

// commands are the lines before the content: RSET where a transaction may be open, MAIL, RCPT
// for each recipient, DATA.
func (t *transaction) commands() ([]command, error) {
	if err := t.message.Check(); err != nil {
		return nil, err
	}
	mail, err := t.client.mailCommand(t.message)
	if err != nil {
		return nil, err
	}
	r := t.result
	list := make([]command, 0, len(r.Recipients)+3)
	if t.client.open {
		list = append(list, command{line: "RSET", wants: 2, take: func(Reply) {}, skip: never})
	}
	list = append(list, command{line: mail, wants: 2, take: r.takeMail, skip: never})
	for i := range r.Recipients {
		o := &r.Recipients[i]
		rcpt, err := t.client.rcptCommand(t.message.To[i])
		if err != nil {
			return nil, err
		}
		list = append(list, command{line: rcpt, wants: 2, take: o.takeRcpt, skip: o.decided})
	}
	if t.message.AllOrNone {
		return list, nil // DATA comes when all are answered
	}
	return append(list, t.data()), nil
}

func (t *transaction) data() command {
	return command{
		line: "DATA", wants: 3,
		take: func(reply Reply) { t.result.Data = reply },
		skip: func() bool { return len(t.result.accepted()) == 0 },
	}
}

func never() bool { return false }

// takeMail notes the reply to MAIL. A refusal decides for all recipients: RCPT, where it is sent all
// the same, gets a 503 that says nothing.
func (r *Result) takeMail(reply Reply) {
	r.Mail = reply
	if reply.Positive() {
		return
	}
	for i := range r.Recipients {
		r.Recipients[i].Final = reply
	}
}

// takeRcpt notes the reply to one RCPT.
func (o *Outcome) takeRcpt(reply Reply) {
	o.Rcpt = reply
	if !o.decided() && !reply.Positive() {
		o.Final = reply
	}
}

// lockStep sends each command when the one before it has been answered.
func (t *transaction) lockStep(ctx context.Context, commands []command) error {
	for _, cmd := range commands {
		if cmd.skip() {
			continue
		}
		reply, err := t.client.exchange(ctx, cmd.line)
		if err := t.settle(ctx, cmd, reply, err); err != nil {
			return err
		}
	}
	return nil
}

// pipelined sends all commands in one write and reads their replies meanwhile: a server that
// stops reading until its replies are read must not meet a client that does the same
// (RFC 2920 §3.1).
func (t *transaction) pipelined(ctx context.Context, commands []command) error {
	c := t.client
	c.group.Reset()
	for _, cmd := range commands {
		c.wire.trace('C', cmd.line)
		c.group.WriteString(cmd.line)
		c.group.WriteString("\r\n")
	}
	sent := make(chan error, 1)
	go func() {
		sent <- guard.Call(func() error { return c.wire.write(ctx, c.group.Bytes()) })
	}()
	err := t.replies(ctx, commands)
	// A failed read has closed the connection, and with it the write.
	if werr := <-sent; err == nil && !errors.Is(werr, errHungUp) {
		err = werr
	}
	return err
}

// replies reads one reply for each command.
func (t *transaction) replies(ctx context.Context, commands []command) error {
	for _, cmd := range commands {
		reply, err := t.client.wire.readReply(ctx, t.client.options.timeout())
		if err := t.settle(ctx, cmd, reply, err); err != nil {
			return err
		}
	}
	return nil
}

// settle takes the reply to a command, unless there is none, or it is not one to this command.
func (t *transaction) settle(ctx context.Context, cmd command, reply Reply, err error) error {
	if err != nil {
		return fmt.Errorf("reply to %s: %w", excerpt(cmd.line), err)
	}
	if err := t.client.inStep(ctx, cmd.line, reply, cmd.wants); err != nil {
		return err
	}
	cmd.take(reply)
	return nil
}

// inStep fails when a reply cannot be one to the command: favorable, but of the wrong class.
// Server and client then disagree about where they are, and a wrong guess loses mail.
func (c *Client) inStep(ctx context.Context, command string, reply Reply, wants int) error {
	if class := reply.Code / 100; class == wants || class == 4 || class == 5 {
		return nil
	}
	return c.wire.fail(ctx, fmt.Errorf("server is out of step: it replied %s to %s", reply, excerpt(command)))
}
