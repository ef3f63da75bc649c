// Package lmtp is a server for LMTP (RFC 2033) and ESMTP (RFC 5321). It turns octets into
// commands, enforces their order and every limit, and streams messages to a Handler, which
// decides on senders, recipients and content. It knows no files and no accounts.
//
//	server := &lmtp.Server{Handler: handler}
//	err := server.Serve(listener)
//
// Each command gets one reply, and over LMTP the end of the data one for each accepted
// recipient, in the order of RCPT (RFC 2033 §4.2), whatever goes wrong. An error of the Handler
// that is no *Error is a temporary failure, and so is a panic. Commands end at CRLF only, and
// content at CRLF.CRLF: a server that takes less lets a message smuggle another past a hop that
// reads it otherwise (RFC 5321 §4.1.1.4, CVE-2023-51764).
package lmtp
