// Package wire is the octets of LMTP and ESMTP as they stand on the wire: command lines, content, replies. It knows no
// session, no command and no state of either.
package wire
