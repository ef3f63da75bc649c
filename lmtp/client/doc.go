// Package client is a client for LMTP (RFC 2033) and ESMTP (RFC 5321). Dial connects to a server and learns its
// extensions; Send sends a message, and returns the server's answer for each recipient. A Client sends any number of
// messages, one after the other.
//
// The server is not trusted: replies are bounded in length and count, and one outside the grammar
// ends the connection. The caller is trusted: content is sent as it is, except for line ends
// and transparency dots (see Message).
package client
