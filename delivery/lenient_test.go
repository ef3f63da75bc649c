package delivery_test

import (
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// TestLenient8BitLocalPart is UTF8-03's option: what its transactions say of themselves does not
// change, so that Received is that of a transaction without SMTPUTF8, in ASCII, and names nobody
// whom it cannot. Return-Path and Delivered-To hold the octets as they came: the one address by
// which the sender or the mailbox can be named.
func TestLenient8BitLocalPart(t *testing.T) {
	for name, session := range map[string]string{
		"UTF8-03 recipient and sender": `
P0
C> MAIL FROM:<jos\xc3\xa9@src.example>\r\n
S: 250 2.1.0
C> RCPT TO:<JOSE\xcc\x81@dst.example>\r\n
S: 250 2.1.5
C: DATA
S: 354
C: .
S: 250 2.0.0
header josé: ^Return-Path: <josé@src\.example>$
header josé: ^Delivered-To: JOSE\x{301}@dst\.example$
header josé: ^Received: from c\.example.* by mx\.dst\.example with LMTP id [0-9a-z]+\.1; [^<>]*$
`,
		"UTF8-03 an ASCII recipient is named": `
P0
C> MAIL FROM:<jos\xc3\xa9@src.example>\r\n
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: DATA
S: 354
C: .
S: 250 2.0.0
header u1: ^Received: .* with LMTP id [0-9a-z]+\.1 for <u1@dst\.example>; 
`,
		"UTF8-03 a sender in Latin-1": `
P0
C> MAIL FROM:<jos\xe9@src.example>\r\n
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: DATA
S: 354
C: .
S: 250 2.0.0
in u1: 1
`,
		"UTF8-03 a recipient in Latin-1 is nobody": `
P1
C> RCPT TO:<jos\xe9@dst.example>\r\n
S: 550 5.1.1
C> RCPT TO:<jos\xc3@dst.example>\r\n
S: 550 5.1.1
C> RCPT TO:<u1+\x85@dst.example>\r\n
S: 550 5.1.1
C> RCPT TO:<u1+\x9b31m@dst.example>\r\n
S: 550 5.1.1
`,
		"UTF8-03 a domain in U-labels": `
P0
C> MAIL FROM:<a@b\xc3\xbccher.example>\r\n
S: 250 2.1.0
C> RCPT TO:<jos\xc3\xa9@B\xc3\x9cCHER.example>\r\n
S: 250 2.1.5
C: DATA
S: 354
C: .
S: 250 2.0.0
header josé: ^Return-Path: <a@bücher\.example>$
header josé: ^Delivered-To: josé@BÜCHER\.example$
header josé: ^Received: from c\.example.* by mx\.dst\.example with LMTP id [0-9a-z]+\.1; [^<>]*$
`,
		"UTF8-03 a domain that is not UTF-8, or no domain": `
P0
C> MAIL FROM:<a@b\xfccher.example>\r\n
S: 550 5.6.7
C: MAIL FROM:<a@src.example>
S: 250 2.1.0
C> RCPT TO:<u1@b\xfccher.example>\r\n
S: 553 5.6.7
C> RCPT TO:<u1@b\xc3\xbccher\xe3\x80\x82example>\r\n
S: 501 5.1.3
`,
		"UTF8-03 controls stay out": `
P0
C> MAIL FROM:<a\x85b@src.example>\r\n
S: 501 5.1.7
C> MAIL FROM:<a\x9bb@src.example>\r\n
S: 501 5.1.7
C> MAIL FROM:<a\xc2\x85@src.example>\r\n
S: 501 5.1.7
C> MAIL FROM:<\xc3\xa9\x08@src.example>\r\n
S: 501 5.1.7
`,
		"UTF8-04 with SMTPUTF8 nothing changes": `
P0
C> MAIL FROM:<jos\xe9@src.example> SMTPUTF8\r\n
S: 501 5.1.7
C> MAIL FROM:<jos\xc3\xa9@src.example> SMTPUTF8\r\n
S: 250 2.1.0
C> RCPT TO:<jos\xe9@dst.example>\r\n
S: 501 5.1.3
C> RCPT TO:<jos\xc3\xa9@dst.example>\r\n
S: 250 2.1.5
C: DATA
S: 354
C: .
S: 250 2.0.0
header josé: ^Received: .* with UTF8LMTP id \S+ for <josé@dst\.example>; 
`,
		"UTF8-11 refused mailboxes see through it": `
P0
C> MAIL FROM:<jos\xc3\xa9@src.example>\r\n
S: 250 2.1.0
C: RCPT TO:<legacy@dst.example>
S: 550 5.6.9
C: RSET
S: 250 2.0.0
C: MAIL FROM:<a@src.example>
S: 250 2.1.0
C> RCPT TO:<legacy+\xc3\xa9@dst.example>\r\n
S: 550 5.6.9
C: RCPT TO:<legacy@dst.example>
S: 250 2.1.5
`,
	} {
		t.Run(name, func(t *testing.T) {
			script, err := lmtptest.Parse("session", session)
			must(t, err)
			f := newFixture(t, "lmtp")
			f.server.Syntax.Lenient8Bit = func(*lmtp.Session) bool { return true }
			f.playScript(t, script)
		})
	}
}

// TestPostmasterTakesInternationalizedMail: PATH-02 stands above UTF8-11.
func TestPostmasterTakesInternationalizedMail(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.router.Resolver.Postmaster.Local = "legacy"
	f.say(t, "pipe", `
U1
C: RCPT TO:<Postmaster>
S: 250 2.1.5
C: RCPT TO:<postmaster@dst.example>
S: 250 2.1.5
C: RCPT TO:<legacy@dst.example>
S: 550 5.6.9
`)
}
