// Package lmtp is a server for the Local Mail Transfer Protocol (RFC 2033) and for ESMTP
// (RFC 5321): octets to commands to replies. It enforces order and limits, streams content
// to a Handler and counts replies; it knows no files and no accounts.
//
// A Server takes connections from a net.Listener and gives each a goroutine. A command line
// goes through the verb table (verb.go) to its handler, which returns a Reply; one writer
// emits replies, and flushes them when the session is about to wait for input, so that a
// pipelined group is answered in one segment (RFC 2920 §3.2).
//
// # Replies are counted
//
// LMTP answers the end of data once for each accepted recipient, in the order of RCPT
// (RFC 2033 §4.2), whatever went wrong in between: a single reply to a message for three
// would make the client take two later replies for the missing ones. All those replies are
// written in one place, outcome.go.
//
// # Lines end in CRLF
//
// A command ends only at CRLF and content only at CRLF.CRLF (RFC 5321 §2.3.8, §4.1.1.4). A
// server that takes less lets a message smuggle another behind a hop that reads it otherwise
// (CVE-2023-51764 and its kin).
package lmtp
