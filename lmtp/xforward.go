package lmtp

// XFORWARD is Postfix's command by which a content filter or an MTA hands on what it knows of
// a message's client, for the log. It changes nothing in the session, and holds for the next
// message only.

// xforwardAttributes is what XFORWARD takes.
var xforwardAttributes = []attribute{
	attrName, attrAddr, attrPort, attrProtocol, attrHello, attrIdent, attrSource,
}

// xforward notes where the next message comes from. The first command after a transaction
// forgets all there was, further ones add to it.
func (c *conn) xforward(args string) Reply {
	c.count.idleCommands++
	if !c.session.Trusted {
		return replyUntrusted
	}
	var origin Origin
	if c.tx.forward != nil {
		origin = *c.tx.forward
	}
	readWhatFits(&origin, xforwardAttributes, args)
	c.tx.forward = &origin
	return replyOK
}

func (o offer) xforwardArgument() string { return attributeNames(xforwardAttributes) }
