package lmtp

// An offer is what the server does for a session as it is now: which extensions it lists, which commands and
// parameters it knows and how it reads these, and what must come before the rest. Its methods are beside the extension
// that each is for.
type offer struct {
	server  *Server
	session *Session
}

// offer is made anew for each question, as the session changes with TLS, AUTH and XCLIENT.
func (c *conn) offer() offer { return offer{c.server, c.session} }
