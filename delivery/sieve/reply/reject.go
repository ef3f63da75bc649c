package reply

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
)

// Reject writes the mail that refuses the message of a run, where it cannot be refused in the dialogue with the
// sender's host: a disposition notification (RFC 5429 §2.2.1, RFC 8098). It returns why there is none instead.
func Reject(a *sieve.Reject, in *sieve.Input, o Options) (m *Mail, why string) {
	if in.Envelope.From == "" {
		return nil, "the mail has no sender"
	}
	_, host, _ := strings.Cut(in.Envelope.To, "@")
	if o.Host != "" {
		host = o.Host
	}
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, strings.TrimSpace(value)) }
	boundary := "=_doorstep_" + rand.Text()
	part := func(kind string) {
		b.WriteString("\r\n--" + boundary + "\r\n")
		field("Content-Type", kind)
		b.WriteString("\r\n")
	}
	field("X-Sieve", "Doorstep")
	field("Message-ID", fmt.Sprintf("<doorstep-reject-%d@%s>", in.Now.UnixNano(), host))
	field("Date", in.Now.Format(time.RFC1123Z))
	field("From", "Postmaster <postmaster@"+host+">")
	field("To", "<"+in.Envelope.From+">")
	field("Subject", "Mail was refused")
	references(in.Message.Header, field)
	field("Auto-Submitted", "auto-replied (rejected)")
	field("Precedence", "bulk")
	field("MIME-Version", "1.0")
	field("Content-Type", "multipart/report; report-type=disposition-notification;\r\n boundary=\""+boundary+"\"")

	part("text/plain; charset=utf-8\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: 8bit")
	b.WriteString("Your mail to <" + in.Envelope.To + "> was refused:\r\n\r\n" + a.Reason + "\r\n")
	part("message/disposition-notification")
	field("Reporting-UA", host+"; Doorstep")
	if in.Envelope.OrigTo != "" {
		field("Original-Recipient", addressType(in.Envelope.OrigTo))
	}
	field("Final-Recipient", addressType(in.Envelope.To))
	if id := value(in.Message.Header, "message-id"); id != "" && len(id) <= maxReferences {
		field("Original-Message-ID", id)
	}
	field("Disposition", "automatic-action/MDN-sent-automatically; deleted")
	part("text/rfc822-headers")
	for _, f := range in.Message.Header {
		b.WriteString(f.Line())
	}
	b.WriteString("\r\n--" + boundary + "--\r\n")
	return &Mail{To: in.Envelope.From, Content: []byte(b.String())}, ""
}

// addressType is an address with its type (RFC 8098 §3.2.4, RFC 6533 §3).
func addressType(a string) string {
	if isASCII(a) {
		return "rfc822; " + a
	}
	return "utf-8; " + a
}
