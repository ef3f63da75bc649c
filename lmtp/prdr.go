package lmtp

// PRDR returns ESMTP the per-recipient replies of LMTP (draft-hall-prdr-00, which Exim follows):
// after the content 353, then a reply for each accepted recipient, then one for the whole.

// mailPRDR takes the wish for them.
func (o offer) mailPRDR(env *Envelope, p parameter) Reply {
	if p.hasValue {
		return badArgument("PRDR takes no value")
	}
	env.PRDR = true
	return Reply{}
}

func (o offer) offersPRDR() bool { return o.session.Protocol == ESMTP }

var (
	replyPRDR = Reply{Code: 353, Text: "a reply for each recipient follows"}

	errNobody    = &Error{Code: 554, Enhanced: "5.0.0", Text: "no recipient has the message"}
	errNobodyYet = &Error{Code: 451, Enhanced: "4.0.0", Text: "no recipient has the message yet"}
)

// answerEachAndAll writes the replies of a PRDR transaction. For the client the last one counts more than those for
// each recipient: Exim takes a failure there for that of recipients who have the message, and a permanent one even for
// those to whom it was to be sent again. So it is a success if any recipient has the message, and else no worse than
// the mildest failure.
func (p *pending) answerEachAndAll() {
	p.c.write(replyPRDR)
	delivered := false
	var failed Reply
	for range p.recipients {
		err := p.next()
		if p.unheard() {
			return // as in answerEach
		}
		r := p.reply(err)
		p.c.write(r)
		if err == nil {
			delivered = true
		} else {
			failed = failureOfBoth(failed, r, p.id)
		}
	}
	if delivered || p.recipients == 0 {
		failed = p.reply(nil)
	}
	p.c.write(failed)
}

// failureOfBoth returns one failure for two, of which a may be none yet. If their reasons differ it has neither: the
// client would report it to the sender for every recipient.
func failureOfBoth(a, b Reply, id string) Reply {
	switch {
	case a.Code == 0 || a.Code == b.Code && a.Enhanced == b.Enhanced && a.Text == b.Text:
		return b
	case a.Code < 500 || b.Code < 500:
		return refusal(errNobodyYet, id)
	}
	return refusal(errNobody, id)
}
