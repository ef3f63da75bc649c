package lmtp

import (
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// FuzzParams: what is taken for parameters is exactly what was sent, word for word, and each
// word is one that the grammar allows (PATH-12).
func FuzzParams(f *testing.F) {
	for _, seed := range []string{"", " SIZE=1", "  SIZE=1 BODY=8BITMIME", " =1", " A", " A=", " A=B=C", " a-b=\xc3\xa9",
		" -a", "SIZE=1", " x=\x7f", " A "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		params, ok := parseParams(nil, s)
		if !ok {
			return
		}
		if len(params) > maxParams {
			t.Fatalf("%d parameters", len(params))
		}
		var words []string
		for _, p := range params {
			word := p.keyword
			if p.hasValue {
				word += "=" + p.value
			}
			if p.keyword != wire.Upper(p.keyword) || !isKeyword(p.keyword) || p.hasValue && !isValue(p.value) {
				t.Errorf("%q is taken for a parameter", word)
			}
			words = append(words, word)
		}
		sent := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
		if len(sent) != len(words) {
			t.Fatalf("%q has %d words, and %d parameters", s, len(sent), len(words))
		}
		for i := range sent {
			keyword, _, _ := strings.Cut(sent[i], "=")
			if wire.Upper(keyword)+sent[i][len(keyword):] != words[i] {
				t.Errorf("%q became %q", sent[i], words[i])
			}
		}
	})
}
