// Package lmtptest plays recorded sessions against a server and checks the form of every
// reply, so that each test of the protocol is also one of the rules for replies.
//
// A session file has a line for each thing that happens:
//
//	# anything                   a comment; the first names the matrix id and RFC section
//	C: NOOP                      the client sends a line and CRLF
//	C> NOOP\nNOOP\r\n            the client sends exactly these octets
//	S: 250 2.0.0                 a reply with this code and enhanced code, on any number of lines
//	S: 250                       a reply that must not have an enhanced code
//	S: 452 4.5.3 x3              three such replies
//	S: 214 2.0.0 /VRFY/          a reply with a line that matches a regular expression
//	closed                       the server closes the connection
//	P3                           the lines of a preamble, see Preambles
//	in u1: 2                     when all is over, mailbox u1 holds two messages
//	content u1: a\r\n            its first message is this, below the trace fields
//	header u1: ^Return-Path: <>  a line of its header matches
//	reports: u1 a@catch.example  reports of success wait on these recipients, and on no others
//	report u1: ^envid=QQ$        the facts of that on u1 match: from, envid, orcpt, an empty line, the header
//	only: lmtp                   only with this protocol (lmtp, esmtp); the default is lmtp
//	with: trusted rrvs           with a server that has these, by names the test knows
//	lock-step                    the session makes no sense sent in one write
//
// In what is sent, \r \n \t \\ \xHH stand for octets and «text*70» for 70 times text.
package lmtptest
