// Package client speaks LMTP (RFC 2033) and ESMTP (RFC 5321) as a client: it dials a server,
// learns its extensions, and sends messages, many over one connection, telling for each
// recipient what the server answered.
//
// The server is not trusted: replies are bounded in length and count, and one that breaks the
// grammar ends the connection. The caller is: content is sent as given, but for line ends and
// transparency (see Message).
package client
