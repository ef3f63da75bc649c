package message

import (
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/mailbox/words"
	"golang.org/x/net/html"
)

// MaxText bounds what is read of one body or part as a text, in octets.
const MaxText = 8 << 20

// ErrText is a text beyond the limit; what is within comes with it.
var ErrText = errors.New("a text of the message is larger than 8 MiB")

// Text returns the content of a part in UTF-8. Octets that are none of its charset become U+FFFD.
func (p *Part) Text() (string, error) {
	text, err := ReadText(p.Content(), p.Size())
	if charset := words.Charset(p.Charset); charset != nil && !isASCII(text) {
		if decoded, problem := charset.NewDecoder().String(text); problem == nil {
			return decoded, err
		}
	}
	return strings.ToValidUTF8(text, string(utf8.RuneError)), err
}

// IsHTML reports whether the part is a text with markup.
func (p *Part) IsHTML() bool {
	return p.Type == "text" && p.Subtype == "html" || p.Type == "application" && p.Subtype == "xhtml+xml"
}

// IsText reports whether the part is a text, with markup or without.
func (p *Part) IsText() bool {
	return p.IsHTML() || p.Type == "text" && !strings.Contains(p.Subtype, "/")
}

// Plain returns the text of a part without markup; ok is false for a part that is no text.
func (p *Part) Plain() (text string, ok bool, err error) {
	if !p.IsText() {
		return "", false, nil
	}
	if text, err = p.Text(); p.IsHTML() {
		text = withoutMarkup(text)
	}
	return text, true, err
}

// withoutMarkup returns what a reader sees of HTML.
func withoutMarkup(text string) string {
	var b strings.Builder
	hidden := "" // the element in which nothing is seen
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		kind := z.Next()
		name, _ := z.TagName()
		switch kind {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if hidden == "" {
				b.Write(z.Text())
			}
		case html.StartTagToken:
			if n := string(name); hidden == "" && (n == "script" || n == "style") {
				hidden = n
			}
		case html.EndTagToken:
			if string(name) == hidden {
				hidden = ""
			}
		}
	}
}

// ReadText reads a text up to the limit; size is what it has at most. A content that breaks off, such as base64 that is
// none, ends there.
func ReadText(r io.Reader, size int64) (string, error) {
	var b strings.Builder
	b.Grow(int(min(size, MaxText+1)))
	if n, _ := io.Copy(&b, io.LimitReader(r, MaxText+1)); n > MaxText {
		return b.String()[:MaxText], ErrText
	}
	return b.String(), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == 0x1b {
			return false
		}
	}
	return true
}
