package lmtp

// PRDR gives ESMTP the per-recipient replies of LMTP (draft-hall-prdr-00, which Exim follows):
// behind the content 353, then a reply for each accepted recipient, then one for the whole.

// mailPRDR takes the wish for them.
func (c *conn) mailPRDR(env *Envelope, p parameter) Reply {
	if p.hasValue {
		return badArgument("PRDR takes no value")
	}
	env.PRDR = true
	return Reply{}
}

func (c *conn) offersPRDR() bool { return c.session.Protocol == ESMTP }

var replyPRDR = Reply{Code: 353, Text: "a reply for each recipient follows"}

// answerEachAndAll gives the replies of a PRDR transaction. The last one speaks for the whole:
// a client that reads a failure there takes all recipients for failed, so that it is a
// success if any of them has the message.
func (c *conn) answerEachAndAll(p *pending, n int, id string) {
	c.out.write(replyPRDR)
	whole := c.outcomeReply(nil, id)
	var failed Reply
	delivered := false
	for range n {
		err := p.next()
		if c.out.err != nil {
			return // as in answerEach
		}
		r := c.outcomeReply(err, id)
		c.out.write(r)
		delivered = delivered || err == nil
		if err != nil && (failed.Code == 0 || r.Code < failed.Code) {
			failed = r
		}
	}
	if !delivered && failed.Code != 0 {
		whole = failed
	}
	c.out.write(whole)
}
