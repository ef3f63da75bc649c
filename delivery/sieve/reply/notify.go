package reply

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// Notify writes a notification of the message of a run (RFC 5436 §2.7), a mail for each recipient. There is none of
// mail that is automatic itself: two filters would tell each other forever. From is the sender of the envelope.
func Notify(n *sieve.Notify, in *sieve.Input, o Options, from string) (list []Mail) {
	if v := strings.ToLower(value(in.Message.Header, "auto-submitted")); v != "" && !strings.HasPrefix(v, "no") {
		return nil
	}
	if in.Envelope.From == "" {
		from = ""
	}
	all := slices.Concat(n.To, n.Cc)
	if n.Apart {
		for _, to := range all {
			one := *n
			one.To, one.Cc = []message.Address{to}, nil
			list = append(list, Mail{From: from, To: to.Text, Content: notification(&one, in, o)})
		}
		return list
	}
	content := notification(n, in, o)
	for _, to := range all {
		list = append(list, Mail{From: from, To: to.Text, Content: content})
	}
	return list
}

// withNames is a list of addresses, a line for each.
func withNames(list []message.Address) string {
	var lines []string
	for _, a := range list {
		lines = append(lines, withName(a))
	}
	return strings.Join(lines, ",\r\n ")
}

// priorities are importances as mail readers know them.
var priorities = map[string][2]string{
	"1": {"1 (High)", "high"}, "2": {"3 (Normal)", "normal"}, "3": {"5 (Low)", "low"},
}

func notification(n *sieve.Notify, in *sieve.Input, o Options) []byte {
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, strings.TrimSpace(value)) }
	host := o.host(in)
	from := n.From
	if from == "" {
		from = "Postmaster <postmaster@" + host + ">"
	}
	priority, ok := priorities[n.Importance]
	if !ok {
		priority = priorities["2"]
	}
	field("X-Sieve", "Doorstep")
	field("Message-ID", fmt.Sprintf("<doorstep-notify-%d@%s>", in.Now.UnixNano(), host))
	field("Date", in.Now.Format(time.RFC1123Z))
	field("X-Priority", priority[0])
	field("Importance", priority[1])
	field("From", from)
	if len(n.To) > 0 {
		field("To", withNames(n.To))
	}
	if len(n.Cc) > 0 {
		field("Cc", withNames(n.Cc))
	}
	field("Subject", encode(notified(n, in)))
	if n.Apart { // as Pigeonhole had it for the draft before RFC 5436
		field("Auto-Submitted", "auto-generated (notify)")
	} else {
		field("Auto-Submitted", "auto-notified; owner-email=\""+in.Envelope.To+"\"")
	}
	field("Precedence", "bulk")
	field("MIME-Version", "1.0")
	field("Content-Type", "text/plain; charset=utf-8")
	field("Content-Transfer-Encoding", "8bit")
	body := n.Body
	if body == "" {
		body = "Notification of new message."
	}
	b.WriteString("\r\n" + body + "\r\n")
	return []byte(b.String())
}

// notified is the subject: the text of the command, what the method says, or that of the mail (RFC 5436 §2.4).
func notified(n *sieve.Notify, in *sieve.Input) string {
	for _, text := range []string{n.Message, n.Subject, value(in.Message.Header, "subject")} {
		if text = strings.Join(strings.Fields(text), " "); text != "" {
			return shortened(text)
		}
	}
	return "New message"
}
