package message

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/mailbox/words"
	"golang.org/x/text/encoding/charmap"
)

// A Field is one of a header.
type Field struct {
	Name string // as it is written

	key       string // Name in lower case
	raw       string // what comes after the colon, with its line ends
	rawFolded string // the same in lower case
	value     memo
	folded    memo
	addresses []Address
	parsed    bool
}

// A memo is a text that is made when it is first asked for.
type memo struct {
	text string
	made bool
}

// NewField makes a field of a name and a value that has no line ends.
func NewField(name, value string) *Field {
	return &Field{Name: name, key: Lower(name), raw: " " + value + "\r\n", rawFolded: Lower(" " + value + "\r\n")}
}

// Renamed is the same field with another name.
func (f *Field) Renamed(name string) *Field {
	return &Field{Name: name, key: Lower(name), raw: f.raw, rawFolded: f.rawFolded}
}

// Key returns the name in lower case.
func (f *Field) Key() string { return f.key }

// Size returns the octets that the field takes.
func (f *Field) Size() int64 { return int64(len(f.Name) + len(":") + len(f.raw)) }

// Line returns the field as it stands in a header. The last one of a message that ends in its header may have no line
// end there: others can come after it.
func (f *Field) Line() string {
	line := f.Name + ":" + f.raw
	if !strings.HasSuffix(line, "\n") {
		line += "\r\n"
	}
	return line
}

// Raw returns what comes after the colon as it is written, with its line ends.
func (f *Field) Raw() string { return f.raw }

// Value returns the value for people: unfolded, with its encoded words read (RFC 2047), without space around it. Octets
// that are no UTF-8 are taken for Latin-1.
func (f *Field) Value() string {
	if !f.value.made {
		f.value = memo{strings.TrimSpace(Decode(f.raw)), true}
	}
	return f.value.text
}

// Folded returns the value with ASCII letters in lower case.
func (f *Field) Folded() string {
	if !f.folded.made {
		f.folded.made = true
		if plain := trimField(f.raw); strings.IndexByte(plain, '\n') < 0 && plain == f.Value() {
			f.folded.text = trimField(f.rawFolded)
		} else {
			f.folded.text = Lower(f.Value())
		}
	}
	return f.folded.text
}

// Addresses returns the addresses of a field that has such.
func (f *Field) Addresses() []Address {
	if !f.parsed {
		f.addresses, f.parsed = ParseAddresses(unfold(f.raw)), true
	}
	return f.addresses
}

// Date returns the date of the field, or that after the last semicolon (RFC 5322 §3.3, RFC 5321 §4.4). ok reports
// whether there is one.
func (f *Field) Date() (date time.Time, ok bool) {
	value := unfold(f.raw)
	if semicolon := strings.LastIndexByte(value, ';'); semicolon >= 0 {
		value = value[semicolon+1:]
	}
	return ParseDate(value)
}

func trimField(s string) string { return strings.Trim(s, " \t\r\n") }

// Decode returns a raw value unfolded, with its encoded words read, in UTF-8.
func Decode(raw string) string {
	text := unfold(raw)
	if !utf8.ValidString(text) {
		if latin, err := charmap.ISO8859_1.NewDecoder().String(text); err == nil {
			text = latin
		}
	}
	return words.Read(text)
}

// unfold joins the lines of a value (RFC 5322 §2.2.3): each line end and the white space character after it are one
// space.
func unfold(raw string) string {
	raw = trimField(raw)
	if strings.IndexByte(raw, '\n') < 0 {
		return raw
	}
	var b strings.Builder
	for line := range strings.Lines(raw) {
		if b.Len() > 0 {
			b.WriteByte(' ')
			line = line[1:]
		}
		b.WriteString(strings.TrimRight(line, "\r\n"))
	}
	return b.String()
}
