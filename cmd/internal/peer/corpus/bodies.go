package corpus

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
)

// typed puts a content type with its transfer encoding before a body.
func typed(name, contentType, encoding, body string) Message {
	return Message{Name: name, Content: header(name) + "Content-Type: " + contentType +
		"\nContent-Transfer-Encoding: " + encoding + "\n\n" + body}
}

// bodies are single parts in all encodings and characters.
func bodies() []Message {
	return []Message{
		typed("utf-8", "text/plain; charset=utf-8", "8bit",
			"Grüße, 日本語, Ελληνικά, עברית, العربية, 📬👩‍👩‍👧‍👦\n\ufeffwith a mark in the middle\n"),
		typed("latin-1", "text/plain; charset=iso-8859-1", "8bit", "Gr\xfc\xdfe aus M\xfcnchen\n"),
		typed("iso-2022-jp", "text/plain; charset=iso-2022-jp", "7bit", "\x1b$B%F%9%H\x1b(B\n.\x1b$B!!\x1b(B\n"),
		letter("eight bits without a type", "\x80\xff caf\xe9\n"),
		typed("quoted-printable", "text/plain; charset=utf-8", "quoted-printable",
			"=2E is a dot=\n, soft=\n break, caf=C3=A9 =20\n=2E\n.=\n"),
		typed("format flowed", "text/plain; format=flowed; delsp=yes", "7bit",
			"Flowed text \nends in spaces \n> quoted \n>> twice\n-- \nSignature\n"),
		typed("html", "text/html; charset=utf-8", "8bit", "<!DOCTYPE html><html><body>\n<p>é</p>\n</body></html>\n"),
		typed("calendar", "text/calendar; method=REQUEST", "8bit",
			"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nSUMMARY:Größe\n folded\nEND:VEVENT\nEND:VCALENDAR\n"),
		typed("pgp inline", "text/plain", "7bit",
			"-----BEGIN PGP MESSAGE-----\n\n"+base64Lines(2000, 64)+"=AbCd\n-----END PGP MESSAGE-----\n"),
		typed("binary in base64", "application/octet-stream", "base64", base64Lines(100<<10, 76)),
		letter("controls", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\x0b\x0c\x0e\x0f\x1a\x1b\x7f\n"),
		letter("every octet", everyOctet()),
		letter("noise", noise(64<<10)),
		letter("lines of 998", strings.Repeat(strings.Repeat("x", 998)+"\n", 100)),
		letter("lines of 998 in utf-8", strings.Repeat(strings.Repeat("é", 499)+"\n", 100)),
		letter("line of 998 dots", strings.Repeat(".", 997)+"\n"),
	}
}

// source returns random numbers that are the same in every run.
func source(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	key[0] = byte(seed)
	return rand.NewChaCha8(key)
}

// base64Lines encodes n random octets in lines of a width.
func base64Lines(n, width int) string {
	raw := make([]byte, n)
	_, _ = source(uint64(width)).Read(raw) // never fails
	text := base64.StdEncoding.EncodeToString(raw)
	var b strings.Builder
	for len(text) > 0 {
		w := min(width, len(text))
		b.WriteString(text[:w] + "\n")
		text = text[w:]
	}
	return b.String()
}

// everyOctet has each octet but CR and LF, which are line ends here, at a line's beginning and
// after it.
func everyOctet() string {
	var b strings.Builder
	for c := range 256 {
		if c != '\r' && c != '\n' {
			b.Write([]byte{byte(c), 'a', byte(c), '\n'})
		}
	}
	return b.String()
}

// noise has n random octets in lines of random length.
func noise(n int) string {
	raw := make([]byte, n)
	_, _ = source(7).Read(raw) // never fails
	column := 0
	for i, c := range raw {
		if c == '\r' {
			raw[i] = '.'
		}
		if column++; column > 998 || c == '\n' {
			raw[i], column = '\n', 0
		}
	}
	return string(raw) + "\n"
}
