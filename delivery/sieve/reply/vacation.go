// Package reply writes the mail that Sieve scripts send: answers of vacation, and the header of what is redirected. It
// decides whether an answer may be sent; it sends nothing.
package reply

import (
	"cmp"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// Options are how a site answers.
type Options struct {
	// DefaultSubject is the subject where the mail has none. ["Automated reply"]
	DefaultSubject string
	// SubjectTemplate makes the subject of an answer from that of the mail, which stands for %{subject}.
	// ["Auto: %{subject}"]
	SubjectTemplate string
	// Own are addresses of the account besides the recipient. [none]
	Own []string
	// UseOriginal says that the recipient before it was rewritten is one of them.
	UseOriginal bool
	// AnyRecipient answers mail too that does not name the account in its header.
	AnyRecipient bool
	// FromRecipient makes the recipient the sender of the envelope, which is else the null path (RFC 5230 §5.1).
	FromRecipient bool
	// IgnoreEnvelope addresses answers to the sender in the header, whatever the envelope says.
	IgnoreEnvelope bool
	// Host is the name of this host, for message identifiers.
	Host string
}

// host is the name of this host, or else the domain of the recipient.
func (o Options) host(in *sieve.Input) string {
	_, domain, _ := strings.Cut(in.Envelope.To, "@")
	return cmp.Or(o.Host, domain)
}

// A Mail is one that is to be sent.
type Mail struct {
	From, To string // of the envelope
	Content  []byte
}

// Needs returns what a server has to offer for the mail: SMTPUTF8, where an address of the envelope or the header is
// internationalized (RFC 6531 §3.4), and 8BITMIME, where a line is not ASCII (RFC 6152).
func (m *Mail) Needs() (utf8, eightBit bool) {
	header, _, _ := strings.Cut(string(m.Content), "\r\n\r\n")
	return !isASCII(m.From + m.To + header), !isASCII(string(m.Content))
}

// maxSubject is how many characters of the subject of a mail an answer repeats.
const maxSubject = 256

// Vacation writes the answer to the message of a run. It returns why there is none instead, where there must not be
// one: to mail of programs, of lists, or of ourselves (RFC 5230 §4.5, §4.6; RFC 3834 §2).
func Vacation(v *sieve.Vacation, in *sieve.Input, o Options) (m *Mail, why string) {
	header := in.Message.Header
	own := ownAddresses(v, in, o)
	switch {
	case in.Envelope.To == "":
		return nil, "the mail has no recipient"
	case in.Envelope.From == "":
		return nil, "the mail has no sender"
	case isOneOf(in.Envelope.From, own):
		return nil, "the sender is the account itself"
	case isSystem(in.Envelope.From):
		return nil, "the sender is a program"
	}
	if why := automatic(header); why != "" {
		return nil, why
	}
	from, found := ownAddress(header, own)
	switch {
	case v.From != "":
		from = v.From
	case !found && !o.AnyRecipient:
		return nil, "the header does not name the account as a recipient"
	case !found:
		from = in.Envelope.To
	}
	m = &Mail{To: in.Envelope.From}
	if o.FromRecipient {
		m.From = in.Envelope.To
	}
	m.Content = write(v, in, o, from)
	return m, ""
}

// ownAddresses are those of the account.
func ownAddresses(v *sieve.Vacation, in *sieve.Input, o Options) []string {
	own := append([]string{in.Envelope.To}, v.Addresses...)
	if o.UseOriginal && in.Envelope.OrigTo != "" {
		own = append(own, in.Envelope.OrigTo)
	}
	return append(own, o.Own...)
}

// isOneOf reports whether an address is one of some. Whose mailbox it is would be the directory's to say; here letter
// case makes no difference.
func isOneOf(a string, list []string) bool {
	for _, other := range list {
		if sameAddress(a, other) {
			return true
		}
	}
	return false
}

func sameAddress(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	if i < 0 || j < 0 || !strings.EqualFold(a[:i], b[:j]) {
		return false
	}
	x, errX := address.DomainKey(a[i+1:])
	y, errY := address.DomainKey(b[j+1:])
	return errX == nil && errY == nil && x == y
}

// isSystem reports whether a sender is a program by its name.
func isSystem(sender string) bool {
	local, _, _ := strings.Cut(strings.ToLower(sender), "@")
	switch local {
	case "mailer-daemon", "listserv", "majordomo":
		return true
	}
	return strings.HasPrefix(local, "owner-") || strings.HasSuffix(local, "-request")
}

// automatic says which field shows that the mail is one of a program; empty if none does.
func automatic(header []*message.Field) string {
	for _, f := range header {
		key, value := f.Key(), f.Folded()
		switch {
		case strings.HasPrefix(key, "list-"):
		case key == "auto-submitted" && !strings.HasPrefix(value, "no"):
		case key == "precedence" && (value == "bulk" || value == "junk" || value == "list"):
		case key == "x-auto-response-suppress" && suppresses(value):
		default:
			continue
		}
		return "the mail is automatic: it has " + f.Name
	}
	return ""
}

// suppresses reports whether Exchange's list of answers that are not wanted has those of people who are out.
func suppresses(value string) bool {
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item == "all" || item == "oof" {
			return true
		}
	}
	return false
}

var recipientFields = map[string]bool{
	"to": true, "cc": true, "bcc": true, "resent-to": true, "resent-cc": true, "resent-bcc": true,
}

// ownAddress finds the account among the recipients of the header, as it is named there.
func ownAddress(header []*message.Field, own []string) (string, bool) {
	for _, one := range own {
		for _, f := range header {
			if !recipientFields[f.Key()] {
				continue
			}
			for _, a := range f.Addresses() {
				if a.Valid && sameAddress(a.Text, one) {
					return withName(a), true
				}
			}
		}
	}
	return "", false
}

// withName is an address with its name, as a header has it.
func withName(a message.Address) string {
	if a.Name == "" {
		return a.Text
	}
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f { // a name in quotes can have any
			return ' '
		}
		return c
	}, a.Name)
	if isASCII(a.Text) { // else the header has UTF-8 anyway (RFC 6532)
		name = encode(name)
	}
	return name + " <" + a.Text + ">"
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 }) }

// write writes the answer.
func write(v *sieve.Vacation, in *sieve.Input, o Options, from string) []byte {
	var b strings.Builder
	field := func(name, value string) {
		fmt.Fprintf(&b, "%s: %s\r\n", name, strings.TrimSpace(value))
	}
	host := o.host(in)
	field("X-Sieve", "Doorstep")
	field("Message-ID", fmt.Sprintf("<doorstep-sieve-%d@%s>", in.Now.UnixNano(), host))
	field("Date", in.Now.Format(time.RFC1123Z))
	field("From", from)
	field("To", to(in, o))
	field("Subject", encode(subject(v, in, o)))
	references(in.Message.Header, field)
	field("Auto-Submitted", "auto-replied (vacation)")
	field("Precedence", "bulk")
	field("X-Auto-Response-Suppress", "All")
	field("MIME-Version", "1.0")
	if !v.MIME {
		field("Content-Type", "text/plain; charset=utf-8")
		field("Content-Transfer-Encoding", "8bit")
		b.WriteString("\r\n")
	}
	b.WriteString(v.Reason + "\r\n")
	return []byte(b.String())
}

// to is the sender, as the header names it where it does.
func to(in *sieve.Input, o Options) string {
	for _, key := range []string{"sender", "resent-from", "from"} {
		for _, f := range in.Message.Header {
			if f.Key() != key {
				continue
			}
			for _, a := range f.Addresses() {
				if a.Valid && (o.IgnoreEnvelope || sameAddress(a.Text, in.Envelope.From)) {
					return withName(a)
				}
			}
		}
	}
	return "<" + in.Envelope.From + ">"
}

// subject is that of the command, or made from that of the mail.
func subject(v *sieve.Vacation, in *sieve.Input, o Options) string {
	if v.Subject != "" {
		return v.Subject
	}
	text := value(in.Message.Header, "subject")
	switch {
	case text == "" && o.DefaultSubject != "":
		return o.DefaultSubject
	case text == "":
		return "Automated reply"
	}
	template := o.SubjectTemplate
	if template == "" {
		template = "Auto: %{subject}"
	}
	return shortened(strings.ReplaceAll(template, "%{subject}", text))
}

// shortened cuts a subject that is too long.
func shortened(subject string) string {
	if runes := []rune(subject); len(runes) > maxSubject {
		return string(runes[:maxSubject-1]) + "…"
	}
	return subject
}

// encode writes a text in encoded words where it has to be (RFC 2047), a line for each.
func encode(text string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", text), "?= =?", "?=\r\n =?")
}

func value(header []*message.Field, key string) string {
	for _, f := range header {
		if f.Key() == key {
			return f.Value()
		}
	}
	return ""
}

// maxReferences bounds what is repeated of References.
const maxReferences = 8 << 10

// references writes to what the answer belongs (RFC 5322 §3.6.4).
func references(header []*message.Field, field func(name, value string)) {
	id, before := value(header, "message-id"), value(header, "references")
	if len(id) > maxReferences {
		id = ""
	}
	if len(before)+len(id) > maxReferences {
		before = ""
	}
	if id != "" {
		field("In-Reply-To", id)
	}
	if all := strings.Join(strings.Fields(before+" "+id), "\r\n "); all != "" {
		field("References", all)
	}
}
