// Package words reads what header fields say in encoded words (RFC 2047), in any charset, and compares texts as people
// do.
package words

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/unicode/norm"
)

// word is an encoded word: its charset, which may have a language (RFC 2231 §5), its encoding and its text. Question
// marks in the text are not allowed, and common.
var word = regexp.MustCompile(`=\?([^?*\s]+)(?:\*[^?\s]*)?\?([BbQq])\?(.*?)\?=`)

// Read returns the value of a header field, unfolded, with its encoded words read. A word whose charset is not known
// stays as it is written. Octets that are none of their charset become U+FFFD.
func Read(value string) string {
	if !strings.Contains(value, "=?") {
		return value
	}
	var b strings.Builder
	var run run
	from := 0
	for _, at := range word.FindAllStringSubmatchIndex(value, -1) {
		between := value[from:at[0]]
		next := newRun(value[at[2]:at[3]])
		if isSpace := strings.Trim(between, " \t\r\n") == ""; !isSpace || run.name != next.name {
			run.end(&b, value[run.start:from])
			if !isSpace || run.charset == nil || next.charset == nil {
				b.WriteString(between) // between two words that are read it is nothing (RFC 2047 §6.2)
			}
			run = next
			run.start = at[0]
		}
		octets := unbase64
		if encoding := value[at[4]]; encoding == 'Q' || encoding == 'q' {
			octets = unquote
		}
		run.octets = append(run.octets, octets(value[at[6]:at[7]])...)
		from = at[1]
	}
	run.end(&b, value[run.start:from])
	b.WriteString(value[from:])
	return b.String()
}

// A run is words of one charset with nothing but space between them: a character may begin in one and end in the next.
type run struct {
	name    string            // of the charset
	charset encoding.Encoding // nil if it is not known
	octets  []byte
	start   int // where it begins in the value
}

// newRun begins a run with the name of its charset.
func newRun(name string) run {
	name = strings.ToLower(name)
	return run{name: name, charset: Charset(name)}
}

// end writes what a run says, or as it is written.
func (r *run) end(b *strings.Builder, written string) {
	if r.charset != nil {
		if text, err := r.charset.NewDecoder().Bytes(r.octets); err == nil {
			b.Write(text)
			return
		}
	}
	b.WriteString(written)
}

// Charset finds a charset by a name that mail has for it, or the Web; nil if there is none.
func Charset(name string) encoding.Encoding {
	charset, err := ianaindex.MIME.Encoding(name)
	if err != nil || charset == nil {
		charset, err = htmlindex.Get(name)
	}
	if err != nil || charset == encoding.Replacement {
		return nil
	}
	return charset
}

// unbase64 reads as much of a text in base64 as can be read, padded or not. What is no digit is passed over
// (RFC 2045 §6.8).
func unbase64(text string) []byte {
	text = strings.Map(func(r rune) rune {
		if r == '+' || r == '/' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, text)
	octets := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, _ := base64.RawStdEncoding.Decode(octets, []byte(text))
	return octets[:n]
}

// unquote reads the Q encoding (RFC 2047 §4.2). What is no pair of digits stays.
func unquote(text string) []byte {
	octets := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '_' {
			c = ' '
		}
		if c == '=' && i+2 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				c, i = byte(n), i+2
			}
		}
		octets = append(octets, c)
	}
	return octets
}

// Fold returns what two texts have in common that differ in case or in the normalization form of Unicode only.
func Fold(text string) string { return norm.NFC.String(cases.Fold().String(norm.NFC.String(text))) }
