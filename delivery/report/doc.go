// Package report writes mail of our own: the report that a message was delivered, for a sender who asked for it
// (RFC 3461 §5.2.3). It renders facts into a message, and knows no files, accounts or connections.
//
// A report is a multipart/report (RFC 6522) of three parts: a text for people, the same for programs
// (message/delivery-status, RFC 3464), and the header of the message that it is about. Where addresses or that header
// are internationalized it is written so that no server on its way needs more than the sender's own address does
// (RFC 6533): 8-bit with SMTPUTF8 for a sender who has an internationalized local part, else in ASCII throughout.
package report
