package message

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/mailbox/words"
	"golang.org/x/net/html"
)

// MaxText bounds what is read of one body or part as a text, in octets. The rest is not looked at.
const MaxText = 8 << 20

// Text returns the content of a part in UTF-8. Octets that are none of its charset become U+FFFD.
func (p *Part) Text() (string, error) {
	text := readText(p.Content())
	if charset := words.Charset(p.Charset); charset != nil && !isASCII(text) {
		if decoded, err := charset.NewDecoder().String(text); err == nil {
			return decoded, nil
		}
	}
	return strings.ToValidUTF8(text, string(utf8.RuneError)), nil
}

// Plain returns the text of a part without markup; ok is false for a part that is no text.
func (p *Part) Plain() (text string, ok bool, err error) {
	isHTML := p.Type == "text" && p.Subtype == "html" || p.Type == "application" && p.Subtype == "xhtml+xml"
	if !isHTML && (p.Type != "text" || strings.Contains(p.Subtype, "/")) {
		return "", false, nil
	}
	if text, err = p.Text(); isHTML {
		text = withoutMarkup(text)
	}
	return text, err == nil, err
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

// readText reads a text up to the limit. A content that breaks off, such as base64 that is none, ends there.
func readText(r io.Reader) string {
	var b strings.Builder
	_, _ = io.Copy(&b, io.LimitReader(r, MaxText))
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == 0x1b {
			return false
		}
	}
	return true
}
