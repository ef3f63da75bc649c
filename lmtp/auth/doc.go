// Package auth finds out who a client is, for package lmtp: by password (PLAIN, RFC 4616), by proof
// of one (SCRAM-SHA-256 and -PLUS, RFC 5802, RFC 7677), or by what the connection itself proves
// (EXTERNAL, RFC 4422): the user at the other end of a Unix socket, or a verified client certificate.
//
// Names and passwords come from a file in Dovecot's format. A name that is not in it costs as much
// work as one that is, and gets the same answer.
//
// Exchanges are servers of emersion/go-sasl where it has one. Package lmtp turns their panics into
// errors.
package auth
