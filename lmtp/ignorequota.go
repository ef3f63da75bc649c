package lmtp

// IGNOREQUOTA is Cyrus' extension of LMTP: a message that must arrive, such as one of the
// administrator or what comes back from a backup, goes into a full mailbox too. A client with it
// can fill mailboxes without end, so it is for trusted peers, and is listed for them only.

// rcptIgnoreQuota has no value.
func (o offer) rcptIgnoreQuota(r *Recipient, p parameter) Reply {
	if p.hasValue {
		return badArgument("IGNOREQUOTA takes no value")
	}
	r.IgnoreQuota = true
	return Reply{}
}

func (o offer) offersIgnoreQuota() bool { return o.session.Protocol == LMTP && o.session.Trusted }
