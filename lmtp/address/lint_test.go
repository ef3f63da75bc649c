package address_test

import (
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func TestWarnings(t *testing.T) {
	tests := []struct {
		name, address string
		want          []string // a part of each warning, in order
	}{
		{"ASCII", "alice.b+c@dst.example", nil},
		{"Latin", "jos\u00e9@b\u00fccher.example", nil},
		{"digit before a letter with diacritic", "1\u00e9@dst.example", nil},
		{"Cyrillic", "\u0438\u0432\u0430\u043d.1@dst.example", nil},
		{"Greek", "\u03b3\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2@dst.example", nil},
		{"Arabic", "\u0645\u062d\u0645\u062f1@dst.example", nil},
		{"Hebrew", "\u05d3\u05d5\u05d3.\u05db@dst.example", nil},
		{"Devanagari", "\u0930\u093e\u092e@dst.example", nil},
		{"Thai", "\u0e2a\u0e21\u0e0a\u0e32\u0e22@dst.example", nil},
		{"Japanese", "\u7530\u4e2d\u3055\u3093\u30bf\u30fca@dst.example", nil},
		{"Chinese", "\u738b\u3105a@dst.example", nil},
		{"Korean", "\u97d3\uad6da@dst.example", nil},
		{"EAI-13 Latin and Cyrillic", "p\u0430ypal@dst.example", []string{"local part: mixes the scripts Latin, Cyrillic"}},
		{"EAI-13 Japanese and Korean", "\u3042\uad6d@dst.example", []string{"mixes the scripts Hiragana, Hangul"}},
		{"EAI-13 domain", "u1@p\u0430ypal.example", []string{"domain label: mixes the scripts Latin, Cyrillic"}},
		{"EAI-13 all lookalikes", "\u0440\u0430\u0443\u0440\u0430\u04cf@dst.example", []string{"every letter is Cyrillic"}},
		{"EAI-13 lookalike domain as A-label", "u1@xn--80ak6aa92e.example",
			[]string{"domain label: every letter is Cyrillic"}},
		{"EAI-06 space", "\"a b\"@dst.example", []string{"UsernameCaseMapped"}},
		{"EAI-06 zero-width joiner", "a\u200db@dst.example", []string{"UsernameCaseMapped"}},
		{"EAI-06 right-to-left behind left-to-right", "a\u05d0@dst.example", []string{"UsernameCaseMapped", "Latin, Hebrew"}},
		{"EAI-11 A-label in the local part", "XN--jos-dma.x@dst.example", []string{"xn--"}},
		{"literal", "u1@[192.0.2.1]", nil},
		{"Persian with its non-joiner", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc@dst.example", nil},
		{"variation selector", "\u2764\ufe0f@dst.example", []string{"UsernameCaseMapped", "variation selector"}},
		{"leading combining mark", "\u0301x@dst.example", []string{"combining mark"}},
		{"combining mark after a dot", "a.\u0301x@dst.example", []string{"combining mark"}},
		{"emoji domain", "u1@xn--i-7iq.example", []string{"no A-label"}},
		{"A-label", "u1@XN--bcher-kva.example", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := address.Parse(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			got := address.Warnings(a)
			if len(got) != len(tt.want) {
				t.Fatalf("warnings %q, want %q", got, tt.want)
			}
			for i, part := range tt.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("warning %q, want %q", got[i], part)
				}
			}
		})
	}
}
