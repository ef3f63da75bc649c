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
		b.WriteString("\r\n")
		if original := r.Original.Header(utf8ok); !r.Original.IsZero() && len(original) <= maxOriginal {
			field(&b, "Original-Recipient", original)
		}
		field(&b, "Final-Recipient", final(r.Final, utf8ok))
		field(&b, "Action", "delivered")
		field(&b, "Status", "2.1.5") // "destination address valid", for positive reports (RFC 3463 §3.2)
	}
	return b.Bytes()
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
	return mailbox.Header(utf8ok)
}

// text is what the report says to people.
func (d *Delivered) text() string {
	var b strings.Builder
	b.WriteString("Your message was delivered. It is in the mailbox of\r\n\r\n")
	for _, r := range d.Recipients {
		fmt.Fprintf(&b, "    %s\r\n", address.Cut(r.Final.Log(), maxOriginal))
		if named := address.Shown(r.Original.Address); named != "" && named != r.Final.Log() {
			fmt.Fprintf(&b, "      as you sent it to %s\r\n", address.Cut(named, maxOriginal))
		}
	}
	b.WriteString("\r\nYour mail program asked for this report. It does not say whether the message was read.\r\n")
	if d.Cut {
		b.WriteString("Of your message's long header only the beginning is attached.\r\n")
	}
	fmt.Fprintf(&b, "\r\nThe mail server %s\r\n", d.Hostname)
	return b.String()
}
