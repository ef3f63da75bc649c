// Package proxyproto reads the PROXY header of HAProxy, versions 1 and 2: whom a load balancer connects for.
package proxyproto

import (
	"bytes"
	"errors"
	"net"
	"strings"
)

// maxHeader bounds a header of version 2, in octets. It could announce 64 KiB; with both paths of Unix sockets it needs
// 232, and the rest is for values.
const maxHeader = 4096

// What is wrong with a header.
var (
	errMissing   = errors.New("no PROXY header")
	errMalformed = errors.New("bad PROXY header")
)

// A Reader is a buffer over a connection that shows what is next before it is taken.
type Reader interface {
	// Peek returns the next n octets, at most 4096, and leaves them unread.
	Peek(n int) ([]byte, error)
	// Discard drops octets that Peek has shown.
	Discard(n int)
}

// signature begins every header of version 2: no command line does.
var signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// Read reads a header of either version, and not an octet more. It returns the address of the client, and nil if that
// is the proxy itself, or the proxy does not know.
func Read(r Reader) (net.Addr, error) {
	for n := 1; ; n++ {
		head, err := r.Peek(n)
		if err != nil {
			return nil, err
		}
		switch {
		case bytes.Equal(head, signature):
			return readBinary(r)
		case string(head) == "PROXY ":
			return readLine(r)
		case !bytes.HasPrefix(signature, head) && !strings.HasPrefix("PROXY ", string(head)):
			return nil, errMissing
		}
	}
}
