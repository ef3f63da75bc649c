package report

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-message/textproto"
)

// A rendering is a report on its way to one server.
type rendering struct {
	*Delivered
	now           time.Time
	id            string // its Message-ID, without brackets
	to            string // the content of its To field
	international bool   // it goes by SMTPUTF8
}

// A part is one of the three, ready to be sent.
type part struct {
	kind, encoding string
	content        []byte
}

// render returns the message with CRLF line ends.
func (r *rendering) render() ([]byte, error) {
	var b bytes.Buffer
	w := textproto.NewMultipartWriter(&b)
	if err := w.SetBoundary(rand.Text()); err != nil {
		return nil, err
	}
	if err := textproto.WriteHeader(&b, r.header(w.Boundary())); err != nil {
		return nil, err
	}
	for _, p := range []part{r.people(), r.programs(), r.returned()} {
		var h textproto.Header
		h.Add("Content-Transfer-Encoding", p.encoding)
		h.Add("Content-Type", p.kind)
		to, err := w.CreatePart(h)
		if err != nil {
			return nil, err
		}
		if _, err := to.Write(p.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// header is that of the report. textproto writes the field first that was added last.
func (r *rendering) header(boundary string) (h textproto.Header) {
	if r.international { // the parts are, and go-message's own writer of messages leaves this out (RFC 2045 §6.4)
		h.Add("Content-Transfer-Encoding", "8bit")
	}
	h.Add("Content-Type", `multipart/report; report-type=`+strings.TrimPrefix(r.programs().kind, "message/")+
		`; boundary="`+boundary+`"`)
	h.Add("MIME-Version", "1.0")
	h.Add("Auto-Submitted", "auto-replied") // RFC 3834 §5
	if id := messageID(r.Header); id != "" {
		h.Add("References", id)
		h.Add("In-Reply-To", id)
	}
	h.Add("Message-ID", "<"+r.id+">")
	h.Add("Date", r.now.Format(time.RFC1123Z))
	h.Add("Subject", r.subject())
	h.Add("To", r.to)
	h.Add("From", r.From)
	return h
}

// people is the part that people read.
func (r *rendering) people() part {
	text := []byte(r.text())
	switch {
	case isASCII(text):
		return part{"text/plain; charset=us-ascii", "7bit", text}
	case r.international:
		return part{"text/plain; charset=utf-8", "8bit", text}
	}
	return part{"text/plain; charset=utf-8", "base64", inBase64(text)}
}

// programs is the part that programs read. It is 7bit (RFC 3464 §2.1), unless the report goes by SMTPUTF8, or an
// address would make a line too long in ASCII.
func (r *rendering) programs() part {
	if r.international {
		return part{"message/global-delivery-status", "8bit", r.fields(true)}
	}
	fields := r.fields(false)
	if hasLongLine(fields) {
		return part{"message/global-delivery-status", "base64", inBase64(r.fields(true))}
	}
	return part{"message/delivery-status", "7bit", fields}
}

// returned is the part with the header of the message that was delivered (RFC 6522 §4).
func (r *rendering) returned() part {
	header := canonical(r.Header)
	broken := hasLongLine(header) || bytes.IndexByte(header, 0) >= 0
	switch {
	case isASCII(header) && !broken:
		return part{"text/rfc822-headers", "7bit", header}
	case !utf8.Valid(header) || isASCII(header):
		return part{"text/rfc822-headers", "quoted-printable", quoted(header)}
	case r.international && !broken:
		return part{"message/global-headers", "8bit", header}
	}
	return part{"message/global-headers", "base64", inBase64(header)}
}

// canonical makes CRLF of line ends of every kind.
func canonical(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
}

// wellFormed is a msg-id that may be repeated (RFC 5322 §3.6.4).
var wellFormed = regexp.MustCompile(`^<[!-;=?-~]{1,500}@[!-;=?A-~]{1,400}>$`)

// messageID is that of the message; "" if it has none that is well-formed.
func messageID(header []byte) string {
	h, err := textproto.ReadHeader(bufio.NewReader(io.MultiReader(bytes.NewReader(header), strings.NewReader("\r\n\r\n"))))
	if err != nil {
		return ""
	}
	if id := strings.TrimSpace(h.Get("Message-Id")); wellFormed.MatchString(id) {
		return id
	}
	return ""
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func hasLongLine(text []byte) bool {
	for line := range bytes.Lines(text) {
		if len(bytes.TrimRight(line, "\r\n")) > maxLine {
			return true
		}
	}
	return false
}

// inBase64 has lines of 76 characters (RFC 2045 §6.8).
func inBase64(text []byte) []byte {
	encoded := base64.StdEncoding.EncodeToString(text)
	var b bytes.Buffer
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	b.WriteString(encoded + "\r\n")
	return b.Bytes()
}

func quoted(text []byte) []byte {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write(text) // to memory
	_ = w.Close()
	return b.Bytes()
}
