package client

import (
	"context"
	"errors"
	"fmt"
)

// Send sends one message and returns the answers for each recipient. The error is nil when the
// server answered everything, whatever it answered: refusals are in the Result. With an error
// of the connection the Result holds the answers that came before, and that error for every
// other recipient. The Result is nil when nothing was sent: the message is not one that can be
// (ErrNotOffered, a control character in an address, no recipient).
//
// Where the server offers PIPELINING, MAIL, RCPT and DATA go in one write (RFC 2920).
func (c *Client) Send(ctx context.Context, m Message) (*Result, error) {
	t := &transaction{client: c, message: m, result: &Result{Recipients: make([]Outcome, len(m.To))}}
	for i, to := range m.To {
		t.result.Recipients[i].To = to.Address
	}
	commands, err := t.commands()
	if err != nil {
		return nil, err
	}
	defer c.wire.watch(ctx)()
	if err := t.run(ctx, commands); err != nil {
		t.result.abandon(err, t.ended)
		return t.result, err
	}
	return t.result, nil
}

// A transaction is one message on its way.
type transaction struct {
	client  *Client
	message Message
	result  *Result
	ended   bool // the end of the content was sent, or may have been
}

func (t *transaction) run(ctx context.Context, commands []command) error {
	envelope := t.lockStep
	if t.client.extensions.Has("PIPELINING") {
		envelope = t.pipelined
	}
	err := envelope(ctx, commands)
	t.client.open = t.result.Mail.Positive()
	if err == nil && t.message.AllOrNone {
		if t.result.spare() {
			return nil
		}
		err = t.lockStep(ctx, []command{t.data()})
	}
	if err != nil {
		return err
	}
	waiting := t.result.accepted()
	switch {
	case len(waiting) == 0 && t.message.AllOrNone:
		return nil
	case t.result.Data.Code != 354:
		t.result.decide(waiting, t.result.Data)
		return nil
	case len(waiting) == 0:
		err = t.emptyData(ctx)
	default:
		if err = t.content(ctx); err == nil {
			err = t.finals(ctx, waiting)
		}
	}
	t.client.open = err != nil
	return err
}

// finals reads the replies after the data: one for each accepted recipient in the order of
// their RCPT (RFC 2033 §4.2), or one for them all.
func (t *transaction) finals(ctx context.Context, waiting []int) error {
	if t.client.options.Protocol == ESMTP {
		reply, err := t.final(ctx)
		if err == nil {
			t.result.decide(waiting, reply)
		}
		return err
	}
	for _, i := range waiting {
		reply, err := t.final(ctx)
		if err != nil {
			return err
		}
		t.result.Recipients[i].Final = reply
	}
	return nil
}

func (t *transaction) final(ctx context.Context) (Reply, error) {
	reply, err := t.client.wire.readReply(ctx, t.client.options.finalTimeout())
	if err != nil {
		return reply, fmt.Errorf("after the data: %w", err)
	}
	return reply, t.client.inStep(ctx, "end of data", reply, 2)
}

// emptyData ends the data that an ESMTP server asked for though it accepted no recipient, as
// pipelining makes possible (RFC 2920 §3.1). An LMTP server must refuse DATA then (RFC 2033 §4.2).
func (t *transaction) emptyData(ctx context.Context) error {
	if t.client.options.Protocol == LMTP {
		return t.client.wire.fail(ctx, errors.New("server wants data for no recipient (RFC 2033 §4.2)"))
	}
	_, err := t.client.exchange(ctx, ".")
	return err
}
