package reply

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// maxReported is the size of a message from which on a report has its header only, in octets.
const maxReported = 1 << 20

// Report writes a report of abuse about the message of a run, as it came (RFC 5965). It returns why there is none
// instead, where there must not be one: to the account itself, or about such a report. From is who the report is from;
// empty for the postmaster. The sender of the envelope is the null path. An error is one of reading the message.
func Report(a *sieve.Report, in *sieve.Input, o Options, from string) (m *Mail, why string, err error) {
	switch {
	case isOneOf(a.To, append([]string{in.Envelope.To}, o.Own...)):
		return nil, "the report would come to the account itself", nil
	case isReport(in.Message.Header):
		return nil, "the mail is a report itself", nil
	}
	part, kind, err := reported(a, in.Message)
	if err != nil {
		return nil, "", err
	}
	w := reportWriter{boundary: "report-" + rand.Text()} // which the message cannot know
	w.header(a, in, o, from)
	w.part("text/plain; charset=utf-8", a.Message)
	w.part("message/feedback-report", facts(a, in, o))
	w.part(kind, part)
	return &Mail{To: a.To, Content: []byte(w.text.String() + "\r\n--" + w.boundary + "--\r\n")}, "", nil
}

// isReport reports whether a message is a report of abuse.
func isReport(header []*message.Field) bool {
	for _, f := range header {
		if f.Key() == "content-type" {
			kind, params := f.Media()
			return kind == "multipart/report" && strings.EqualFold(params["report-type"], "feedback-report")
		}
	}
	return false
}

// reported is what the report has of the message, and its content type. That of a header which is not ASCII is
// internationalized (RFC 6532 §3.7, RFC 6533 §4).
func reported(a *sieve.Report, m *message.Message) (text, kind string, err error) {
	var b strings.Builder
	if a.HeadersOnly || m.Size() > maxReported {
		for _, f := range m.Header {
			b.WriteString(f.Line())
		}
		if kind = "text/rfc822-headers"; !isASCII(b.String()) {
			kind = "message/global-headers"
		}
		return b.String(), kind, nil
	}
	kind = "message/rfc822"
	for _, f := range m.Header {
		if !isASCII(f.Raw()) {
			kind = "message/global"
		}
	}
	_, err = io.Copy(&b, m.Reader(nil, nil))
	return b.String(), kind, err
}

// facts are what programs read of the report.
func facts(a *sieve.Report, in *sieve.Input, o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Feedback-Type: %s\r\nUser-Agent: Doorstep\r\nVersion: 1\r\n", a.Type)
	fmt.Fprintf(&b, "Arrival-Date: %s\r\n", in.Now.Format(time.RFC1123Z))
	own := slices.Concat(o.Own, []string{in.Envelope.OrigTo, in.Envelope.To})
	for _, f := range []struct{ name, address string }{
		{"Original-Mail-From", in.Envelope.From},
		{"Original-Rcpt-To", cmp.Or(in.Envelope.OrigTo, in.Envelope.To)},
		{"Dovecot-Reporting-User", cmp.Or(own...)}, // the name by which programs know it
	} {
		if isASCII(f.address) { // the part has no other encoding than 7bit (RFC 5965 §3)
			fmt.Fprintf(&b, "%s: <%s>\r\n", f.name, f.address)
		}
	}
	return b.String()
}

// A reportWriter writes a report.
type reportWriter struct {
	text     strings.Builder
	boundary string
}

func (w *reportWriter) header(a *sieve.Report, in *sieve.Input, o Options, from string) {
	host := o.host(in)
	subject := strings.Join(strings.Fields(value(in.Message.Header, "subject")), " ")
	for _, f := range [][2]string{
		{"X-Sieve", "Doorstep"},
		{"Message-ID", "<doorstep-report-" + rand.Text() + "@" + host + ">"},
		{"Date", in.Now.Format(time.RFC1123Z)},
		{"From", cmp.Or(from, "Postmaster <postmaster@"+host+">")},
		{"To", "<" + a.To + ">"},
		{"Subject", encode("Report: " + shortened(cmp.Or(subject, "(message without subject)")))},
		{"Auto-Submitted", "auto-generated (report)"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "multipart/report; report-type=feedback-report;\r\n boundary=\"" + w.boundary + `"`},
	} {
		w.text.WriteString(f[0] + ": " + f[1] + "\r\n")
	}
}

// part writes a part of the report.
func (w *reportWriter) part(kind, text string) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	encoding := "7bit"
	if !isASCII(text) {
		encoding = "8bit"
	}
	fmt.Fprintf(&w.text, "\r\n--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n%s",
		w.boundary, kind, encoding, text)
}
