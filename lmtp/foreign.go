package lmtp

import (
	"bytes"
	"errors"
)

// Clients of other protocols: one reply, and an end. A web page can make a browser send requests
// to any port, and what it puts into them must not be taken for commands.

// clientHello is the first octet of a TLS handshake (RFC 8446 §5.1). No command begins with it.
const clientHello = 0x16

var errClientHello = errors.New("TLS on a port that speaks in the clear")

var (
	replyClientHello = Reply{Code: 500, Enhanced: "5.5.2", Text: "this port does not begin with TLS", then: hangUp}
	replyHTTP        = Reply{Code: 500, Enhanced: "5.5.1", Text: "this is no web server", then: hangUp}
)

// readCommand reads a command line, unless what comes is no command at all: it may have no end
// of line that could be waited for.
func (r *reader) readCommand() ([]byte, error) {
	first, err := r.peek(1)
	switch {
	case err != nil:
		return nil, err
	case first[0] == clientHello:
		return nil, errClientHello
	}
	return r.readLine()
}

// isHTTP reports whether line is a request of HTTP/1 (RFC 9112 §3):
//
//	request-line = method SP request-target SP HTTP-version
func isHTTP(line []byte) bool {
	method, _, _ := bytes.Cut(line, []byte(" "))
	version := line[bytes.LastIndexByte(line, ' ')+1:]
	return bytes.HasPrefix(version, []byte("HTTP/")) && len(method)+len(" ")+len(version) < len(line)
}
