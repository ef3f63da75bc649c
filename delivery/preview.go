package delivery

import (
	"cmp"
	"context"
	"io"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A Preview is what would become of a message for one recipient.
type Preview struct {
	// Err is the reply that refuses it, an *lmtp.Error; nil where it would be delivered.
	Err error
	// To are the places of its copies. With Err these are the mailboxes of an alias that get it, though others cannot have
	// it now.
	To []mailbox.Dest
}

// Preview decides what would become of a message, by the same steps as a delivery up to the first that changes
// anything. What only a delivery can find out, such as a disk that fails, it does not know. content has CRLF line ends
// and may be empty where only the addresses are in question. The error is that content cannot be read.
func (a *Agent) Preview(
	ctx context.Context, env *lmtp.Envelope, to []*lmtp.Recipient, content io.Reader,
) ([]Preview, error) {
	t := &transaction{agent: a, session: &lmtp.Session{}, envelope: env, begun: a.now()}
	defer t.release()
	all := make([]Preview, len(to))
	for i, r := range to {
		all[i].Err = t.Rcpt(ctx, r)
	}
	t.edit(io.Discard)
	if _, err := io.Copy(&t.head, content); err != nil {
		return nil, err
	}
	if err := t.head.Close(); err != nil {
		return nil, err
	}
	t.lookAtHeader()
	accepted := 0
	for i := range all {
		if all[i].Err != nil {
			continue
		}
		t.preview(ctx, &all[i], t.recipients[accepted])
		accepted++
	}
	return all, nil
}

// preview fills in what becomes of an accepted recipient.
func (t *transaction) preview(ctx context.Context, p *Preview, r recipient) {
	apart := r.isSeveral() && t.agent.Router.Apart != nil && t.agent.Router.Apart()
	var refused error
	p.Err = r.later
	for _, part := range r.parts {
		if part.refused != nil {
			refused = cmp.Or(refused, part.refused)
			continue
		}
		dest := t.copies[part.copy].dest
		if err := t.agent.Store.Reachable(ctx, dest); err != nil {
			p.Err = cmp.Or(p.Err, t.agent.Router.ReplyFor(part.action, err))
			continue
		}
		p.To = append(p.To, dest)
	}
	if len(p.To) == 0 {
		p.Err = cmp.Or(p.Err, refused)
	}
	looped := t.looped()
	if looped != nil || p.Err != nil && !apart {
		p.To = nil
	}
	p.Err = cmp.Or(looped, p.Err)
}
