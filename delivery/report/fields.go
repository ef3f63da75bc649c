package report

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// maxLine is the longest line of a message, without its end (RFC 5322 §2.1.1).
const maxLine = 998

// maxOriginal bounds an address that is only repeated: a client may write one of thousands of octets.
const maxOriginal = 900

// fields are what the report says to programs (RFC 3464 §2): a group of the message, and one of each recipient.
func (d *Delivered) fields(utf8ok bool) []byte {
	var b bytes.Buffer
	if d.EnvelopeID != "" {
		field(&b, "Original-Envelope-Id", d.EnvelopeID)
	}
	field(&b, "Reporting-MTA", "dns; "+d.Hostname)
	field(&b, "Arrival-Date", d.Arrived.Format(time.RFC1123Z))
	for _, r := range d.Recipients {
		if len(r.Failures) == 0 {
			group(&b, r, utf8ok)
			field(&b, "Action", "delivered")
			field(&b, "Status", "2.1.5") // "destination address valid", for positive reports (RFC 3463 §3.2)
		}
		for _, f := range r.Failures {
			group(&b, r, utf8ok)
			field(&b, "Action", "failed")
			field(&b, "Status", f.Status)
			field(&b, "Diagnostic-Code", "smtp; "+f.Reply)
		}
	}
	return b.Bytes()
}

// group begins the group of a recipient.
func group(b *bytes.Buffer, r Recipient, utf8ok bool) {
	b.WriteString("\r\n")
	if original := shown(r.Original, utf8ok); !r.Original.IsZero() && len(original) <= maxOriginal {
		field(b, "Original-Recipient", original)
	}
	field(b, "Final-Recipient", final(r.Final, utf8ok))
}

func field(b *bytes.Buffer, name, content string) { fmt.Fprintf(b, "%s: %s\r\n", name, content) }

// final is the address that was accepted, as it was accepted (RFC 3464 §2.3.2).
func final(a address.Address, utf8ok bool) string {
	if a.IsASCII() {
		return "rfc822; " + a.String()
	}
	if ascii, ok := a.Header(false); ok && !utf8ok {
		return "rfc822; " + ascii // the domain in its other form
	}
	mailbox := address.Original{Type: "utf-8", Address: strings.ToValidUTF8(a.String(), "?")}
	return shown(mailbox, utf8ok)
}

// subject is that of the report.
func (d *Delivered) subject() string {
	if d.failed() {
		return "Your message was not delivered to all"
	}
	return "Your message was delivered"
}

// text is what the report says to people.
func (d *Delivered) text() string {
	begin, end := "Your message was delivered. It is in the mailbox of",
		"Your mail program asked for this report. It does not say whether the message was read."
	if d.failed() {
		begin = "Your message was not delivered to all the mailboxes that an address stands for:"
		end = "The others have your message. There is no need to send it again."
	}
	var b strings.Builder
	b.WriteString(begin + "\r\n\r\n")
	for _, r := range d.Recipients {
		fmt.Fprintf(&b, "    %s\r\n", address.Cut(r.Final.Log(), maxOriginal))
		if named := address.Shown(r.Original.Address); named != "" && named != r.Final.Log() {
			fmt.Fprintf(&b, "      as you sent it to %s\r\n", address.Cut(named, maxOriginal))
		}
		for _, f := range r.Failures {
			fmt.Fprintf(&b, "      refused by one or more of them: %s\r\n", f.Reply)
		}
	}
	b.WriteString("\r\n" + end + "\r\n")
	if d.Cut {
		b.WriteString("Of your message's long header only the beginning is attached.\r\n")
	}
	fmt.Fprintf(&b, "\r\nThe mail server %s\r\n", d.Hostname)
	return b.String()
}

// shown is the content of a field. Where it is UTF-8 nothing in it ends a line for any reader, or turns what follows: a
// local part may have U+2028 where an address is for all that no mailbox has. The ASCII form has it encoded.
func shown(o address.Original, utf8ok bool) string {
	if utf8ok && address.HasControl(o.Address) {
		o.Address = strings.Map(func(r rune) rune {
			if address.HasControl(string(r)) {
				return '?'
			}
			return r
		}, o.Address)
	}
	return o.Header(utf8ok)
}
