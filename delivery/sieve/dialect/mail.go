package dialect

import (
	"encoding/base64"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"strings"
)

// A mail is what a script is about. What it says is kept beside how that is written.
type mail struct {
	envelopeFrom, envelopeTo string
	from, to                 string // addresses of the header
	fromName                 string
	subject                  string
	listID                   string
	body                     string // as people read it

	fields []string // without line ends
	raw    string
	eol    string
}

// text is the whole message.
func (l *mail) text() string {
	return strings.ReplaceAll(strings.Join(l.fields, "\n")+"\n\n"+l.raw, "\n", l.eol)
}

func (m *source) newMail() *mail {
	l := &mail{
		envelopeFrom: m.one(addresses...),
		envelopeTo:   m.one("alice@example.org", "alice+lists@example.org", "Alice@example.org"),
		from:         m.one(addresses...), to: m.one(addresses...), fromName: m.one(names...), subject: m.phrase(5),
		eol: m.one("\n", "\r\n"),
	}
	l.body = m.phrase(8) + "\n" + m.phrase(8) + "\n" + m.maybe(30, ".\n") + m.phrase(4) + "\n"
	for i := range 1 + m.IntN(3) {
		l.fields = append(l.fields, fmt.Sprintf("Received: from mx%d.example.net by mx.example.org "+
			"for <alice@example.org>;\n\tMon, 23 Nov 2026 1%d:00:0%d +0100", i, i, i))
	}
	l.fields = append(l.fields, "From: "+m.mailbox(l.fromName, l.from), m.one("To", "TO", "to")+": "+m.recipients(l.to))
	if m.percent(40) {
		l.fields = append(l.fields, "Cc: "+m.recipients(m.one(addresses...)))
	}
	if m.percent(95) {
		l.fields = append(l.fields, m.one("Subject: ", "Subject:", "subject: ", "SUBJECT:\t")+m.encoded(l.subject))
	} else {
		l.subject = ""
	}
	m.addRest(l)
	m.addBody(l)
	return l
}

// addRest adds the fields that only some messages have.
func (m *source) addRest(l *mail) {
	l.fields = append(l.fields, "Date: "+m.one("Mon, 23 Nov 2026 09:59:00 +0000", "Mon, 23 Nov 2026 23:30:00 -0500",
		"23 Nov 2026 09:59 +0530", "Sun, 1 Mar 2026 00:00:59 GMT", "Tue, 24 Nov 2026 07:08:09 +0100 (CET)"))
	if m.percent(90) {
		l.fields = append(l.fields, fmt.Sprintf("Message-ID: <%d@example.com>", m.IntN(1000)))
	}
	if m.percent(30) {
		l.listID = m.one("dev.lists.example.net", "The List <dev.lists.example.net>", "<news.example.com>")
		l.fields = append(l.fields, "List-Id: "+l.listID, "List-Unsubscribe: <mailto:leave@example.net>")
	}
	for _, f := range []string{
		"X-Spam-Flag: YES", "X-Spam-Flag: NO", "X-Spam-Status: Yes, score=7.1", "X-Spam-Score: 7", "Precedence: bulk",
		"X-Priority: 1", "Reply-To: Bob <bob@example.com>", "X-Empty:", "Chat-Version: 1.0", "X-Moo-Tag: YES",
		"Sender: list-bounces@lists.example.net", "Auto-Submitted: auto-generated", "X-Folded: one\n two\n\tthree",
		"Return-Path: <bob@example.com>", "Delivered-To: alice@example.org",
	} {
		if m.percent(12) {
			l.fields = append(l.fields, f)
		}
	}
}

// mailbox writes an address with a name before it.
func (m *source) mailbox(name, address string) string {
	switch {
	case name == "":
		return m.one(address, "<"+address+">", address+" (comment)")
	case isASCII(name):
		return m.one(`"`+strings.ReplaceAll(name, `"`, `\"`)+`"`, quoteQ(name+" é")) + " <" + address + ">"
	}
	return mime.BEncoding.Encode("utf-8", name) + " <" + address + ">"
}

// quoteQ writes a name as an encoded word, in which there is no quotation mark (RFC 2047 §5).
func quoteQ(name string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", name), `"`, "=22")
}

// recipients writes a field with one address or more.
func (m *source) recipients(first string) string {
	switch m.IntN(6) {
	case 0:
		return m.mailbox(m.one(names...), first) + ",\n " + m.mailbox(m.one(names...), m.one(addresses...))
	case 1:
		return "team: " + first + ", " + m.one(addresses...) + ";"
	case 2:
		return m.one("undisclosed-recipients:;", "Multiple recipients of list <"+first+">", first+", ,"+m.one(addresses...))
	}
	return m.mailbox(m.one(names...), first)
}

// encoded writes the text of a field.
func (m *source) encoded(s string) string {
	if isASCII(s) {
		return m.one(s, s, s, strings.Replace(s, " ", "\n ", 1), mime.QEncoding.Encode("iso-8859-1", s+"é"))
	}
	words := strings.Fields(s)
	if len(words) > 1 && m.percent(40) { // space between encoded words is none (RFC 2047 §6.2)
		return mime.QEncoding.Encode("utf-8", words[0]+" ") + m.one(" ", "\n ") +
			mime.BEncoding.Encode("UTF-8", strings.Join(words[1:], " "))
	}
	return m.one(mime.QEncoding.Encode("utf-8", s), mime.BEncoding.Encode("utf-8", s), s)
}

// addBody adds a body, of one part or more.
func (m *source) addBody(l *mail) {
	switch m.IntN(7) {
	case 0: // nothing says what it is
		l.raw = l.body
	case 1:
		l.fields = append(l.fields, "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64")
		l.raw = base64.StdEncoding.EncodeToString([]byte(l.body)) + "\n"
	case 2:
		l.fields = append(l.fields, `Content-Type: text/plain; charset="utf-8"`, "Content-Transfer-Encoding: quoted-printable")
		l.raw = printable(l.body)
	case 3:
		l.fields = append(l.fields, "Content-Type: text/html; charset=utf-8")
		l.raw = "<html><body><p>" + strings.ReplaceAll(l.body, "\n", "<br>\n") + "</p></body></html>\n"
	case 4, 5:
		l.fields = append(l.fields, "MIME-Version: 1.0", `Content-Type: multipart/mixed; boundary="b=1"`)
		l.raw = "preamble\n--b=1\nContent-Type: text/plain; charset=utf-8\n\n" + l.body +
			"\n--b=1\nContent-Type: application/pdf; name=\"x.pdf\"\nContent-Disposition: attachment; filename=\"x.pdf\"\n" +
			"Content-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n--b=1--\nepilogue\n"
	case 6:
		l.fields = append(l.fields, "MIME-Version: 1.0", "Content-Type: multipart/alternative;\n boundary=alt")
		l.raw = "--alt\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" +
			printable(l.body) + "\n--alt\nContent-Type: text/html\n\n<b>html</b>\n--alt--\n"
	}
}

func printable(s string) string {
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(s)) // to memory
	_ = w.Close()
	return strings.ReplaceAll(b.String(), "\r\n", "\n")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
