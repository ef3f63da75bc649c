package lmtp

// XCLIENT is Postfix's command by which a proxy says whom it speaks for; Dovecot's proxies
// send it too, with attributes of their own. The session begins anew after it.

// xclientAttributes is what XCLIENT takes: Postfix's, then Dovecot's.
var xclientAttributes = []attribute{
	attrName, attrAddr, attrPort, attrProtocol, attrHello, attrLogin, attrDestAddr, attrDestPort,
	attrDestName, attrSession, attrTTL, attrTimeout,
}

// replyUntrusted answers a command that only trusted peers may give.
var replyUntrusted = Reply{Code: 550, Enhanced: "5.7.0", Text: "not for you"}

// xclient begins the session anew, as if the client that the peer names had connected.
// What it named before, and does not name again, still holds.
func (c *conn) xclient(args string) Reply {
	c.count.idleCommands++
	if !c.session.Trusted {
		return replyUntrusted
	}
	var origin Origin
	if c.session.Origin != nil {
		origin = *c.session.Origin
	}
	if refused := readAttributes(&origin, xclientAttributes, args); refused.Code != 0 {
		return c.refuseArgument("XCLIENT", args, refused, nil)
	}
	session := *c.session
	session.Origin = &origin
	session.Hello, session.Extended, session.Identity = "", false, ""
	c.session = &session
	c.tx.forward = nil
	c.state = stateGreeted
	c.log.Debug("session speaks for another", "client", origin.Addr, "name", origin.Name, "login", origin.Login,
		"its_session", origin.Session)
	return c.session.greeting()
}

// speaksForOthers: XCLIENT and XFORWARD exist where a peer can be trusted at all.
func (o offer) speaksForOthers() bool { return o.server.Peers.Trusted != nil }

// trusted: they are listed for the peers that may use them.
func (o offer) trusted() bool { return o.session.Trusted }

func (o offer) xclientArgument() string { return attributeNames(xclientAttributes) }
