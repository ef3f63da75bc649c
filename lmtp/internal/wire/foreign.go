package wire

import (
	"bytes"
	"errors"
)

// Clients of other protocols: a web page can make a browser send requests to any port, and what it puts into them must
// not be taken for commands.

// clientHello is the first octet of a TLS handshake (RFC 8446 §5.1). No command begins with it.
const clientHello = 0x16

// ErrClientHello is TLS where a command was expected; it is unread.
var ErrClientHello = errors.New("TLS on a port that speaks in the clear")

// ReadCommand reads a command line, unless what comes is no command at all: it may have no end
// of line that could be waited for.
func (r *Reader) ReadCommand() ([]byte, error) {
	first, err := r.Peek(1)
	switch {
	case err != nil:
		return nil, err
	case first[0] == clientHello:
		return nil, ErrClientHello
	}
	return r.ReadLine()
}

// IsHTTP reports whether line is a request of HTTP/1 (RFC 9112 §3):
//
//	request-line = method SP request-target SP HTTP-version
func IsHTTP(line []byte) bool {
	method, _, _ := bytes.Cut(line, []byte(" "))
	version := line[bytes.LastIndexByte(line, ' ')+1:]
	return bytes.HasPrefix(version, []byte("HTTP/")) && len(method)+len(" ")+len(version) < len(line)
}
