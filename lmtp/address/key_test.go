package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func TestDomainKey(t *testing.T) {
	tests := []struct {
		name, domain, want string
	}{
		{"EAI-01 ASCII", "DST.Example", "dst.example"},
		{"EAI-01 U-label", "B\u00dcCHER.example", "xn--bcher-kva.example"},
		{"EAI-01 A-label", "XN--BCHER-KVA.Example", "xn--bcher-kva.example"},
		{"EAI-01 sharp s", "fa\u00df.example", "xn--fa-hia.example"},
		{"EAI-01 xn-- of a decomposed label", "XN--U-CCB.example", "xn--u-ccb.example"},
		{"EAI-07 final sigma", "\u03a3\u039f\u03a6\u039f\u03a3.example", "xn--0xaakcn.example"},
		{"EAI-07 dotted I", "\u0130.example", "xn--i-9bb.example"},
		{"PATH-06 trailing dot", "dst.example.", "dst.example"},
		{"PATH-06 trailing dot after a U-label", "example.\u05d0\u05d1.", "example.xn--4dbc"},
		{"PATH-07 literal", "[192.000.2.01]", "[192.0.2.1]"},
		{"PATH-07 IPv6 literal", "[IPV6:2001:DB8:0::0:1]", "[ipv6:2001:db8::1]"},
		{"EAI-10 63 octets", strings.Repeat("a", 63), strings.Repeat("a", 63)},
		{"EAI-10 64 octets", strings.Repeat("a", 64), ""},
		{"EAI-10 255 octets", strings.Repeat("a.", 127) + "a", strings.Repeat("a.", 127) + "a"},
		{"EAI-10 256 octets", strings.Repeat("a.", 127) + "aa", ""},
		{"EAI-10 255 octets only as U-labels", strings.Repeat("\u4e2d.", 40) + "example", ""},
		{"empty", "", ""},
		{"dot", ".", ""},
		{"empty label", "a..b", ""},
		{"two trailing dots", "dst.example..", ""},
		{"underscore", "a_b.example", ""},
		{"space", "a b.example", ""},
		{"slash", "../example", ""},
		{"not UTF-8", "b\xfccher.example", ""},
		{"EAI-02 Bidi rule over labels", "1a.\u05d0", ""},
		{"bad literal", "[x]", ""},
		{"literal over 255 octets", "[x:" + strings.Repeat("a", 252) + "]", ""},
		{"literal with a bad tag", "[x_y:z]", ""},
		{"literal with a space", "[x:a b]", ""},
		{"literal that is not ASCII", "[x:\u00e9]", ""},
		{"UTF8-04 ideographic full stop", "b\u00fccher\u3002example", ""},
		{"half a literal", "[192.0.2.1", ""},
		{"empty literal", "[]", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := address.DomainKey(tt.domain)
			if got != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("%q: %q, %v, want %q", tt.domain, got, err, tt.want)
			}
			if err != nil && !errors.Is(err, address.ErrSyntax) {
				t.Errorf("%q: error %v, want ErrSyntax", tt.domain, err)
			}
		})
	}
}

func TestLocalKey(t *testing.T) {
	exact, fold := address.LocalPolicy{}, address.LocalPolicy{Fold: true}
	nfkc := address.LocalPolicy{Fold: true, NFKC: true}
	tests := []struct {
		name   string
		policy address.LocalPolicy
		local  string
		want   string
	}{
		{"EAI-04 ASCII case kept", exact, "Alice", "Alice"},
		{"EAI-04 ASCII case folded", fold, "Alice", "alice"},
		{"EAI-04 NFC", exact, "Jose\u0301", "Jos\u00e9"},
		{"EAI-04 lower case", fold, "JOS\u00c9", "jos\u00e9"},
		{"EAI-05 Kelvin sign", fold, "\u212aate", ""},
		{"EAI-05 Kelvin sign, exact", exact, "\u212aate", ""},
		{"EAI-05 grave accent", fold, "\u00e9\u1fef", ""},
		{"EAI-05 Greek question mark", fold, "\u00e9\u037e", ""},
		{"EAI-05 full-width name", nfkc, "\uff41lice", ""},
		{"EAI-05 full-width at sign", nfkc, "\u00e9\uff20x", ""},
		{"EAI-05 full-width dot", nfkc, "\u00e9\uff0ex", ""},
		{"EAI-05 one dot leader", nfkc, "\u00e9\u2024x", ""},
		{"EAI-05 full-width plus", nfkc, "\u00e9\uff0bx", ""},
		{"EAI-05 full-width slash", nfkc, "\u00e9\uff0fx", ""},
		{"EAI-05 full-width backslash", nfkc, "\u00e9\uff3cx", ""},
		{"EAI-05 full-width quote", nfkc, "\u00e9\uff02x", ""},
		{"EAI-05 no-break space", nfkc, "\u00e9\u00a0x", ""},
		{"EAI-05 account of", nfkc, "\u00e9\u2100", ""},
		{"EAI-07 sharp s", fold, "STRA\u1e9eE", "stra\u00dfe"},
		{"EAI-07 final sigma has no context", fold, "\u03a3\u039f\u03a6\u039f\u03a3", "\u03c3\u03bf\u03c6\u03bf\u03c3"},
		{"EAI-07 dotted I", fold, "\u0130zmir", "i\u0307zmir"},
		{"EAI-07 dotless i", fold, "\u0131I\u00e9", "\u0131i\u00e9"},
		{"EAI-08 control", fold, "a\x00b", ""},
		{"EAI-08 DEL", exact, "a\x7f", ""},
		{"EAI-08 zero-width space", fold, "u1\u200b", ""},
		{"Persian non-joiner", fold, "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc",
			"\u0646\u0627\u0645\u0647\u200c\u0627\u06cc"},
		{"Sinhala joiner", fold, "\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0dc1\u0dca\u200d\u0dbb\u0dd3"},
		{"Hindi joiner, with ASCII beside it", fold, "Ram.\u0915\u094d\u200d\u0937+x", "ram.\u0915\u094d\u200d\u0937+x"},
		{"Malayalam joiner at the end", fold, "\u0d28\u0d4d\u200d", "\u0d28\u0d4d\u200d"},
		{"non-joiner across a dot", fold, "\u0646\u0627\u0645\u0647.\u200c\u0627\u06cc", ""},
		{"non-joiner between Latin letters", fold, "jos\u00e9\u200cx", ""},
		{"joiner between Latin letters", fold, "jos\u00e9\u200dx", ""},
		{"joiner beside ASCII only", fold, "u1\u200d", ""},
		{"two joiners in a row", fold, "\u0dc1\u0dca\u200d\u200d\u0dbb", ""},
		{"joiner of emoji", fold, "\U0001f469\u200d\U0001f4bb", ""},
		{"Hangul filler", fold, "jos\u00e9\u3164", ""},
		{"Hangul choseong filler", fold, "\u115f\ud55c", ""},
		{"half-width Hangul filler", fold, "jos\u00e9\uffa0", ""},
		{"combining grapheme joiner", fold, "jos\u00e9\u034f", ""},
		{"Khmer inherent vowel", fold, "\u1780\u17b4", ""},
		{"variation selector", fold, "\u2764\ufe0f", "\u2764\ufe0f"},
		{"EAI-09 full-width plus", fold, "jos\u00e9\uff0bx", "jos\u00e9\uff0bx"},
		{"EAI-10 64 octets", fold, strings.Repeat("\u00fc", 32), strings.Repeat("\u00fc", 32)},
		{"EAI-10 66 octets", fold, strings.Repeat("\u00fc", 33), ""},
		{"EAI-10 grows when normalized", fold, strings.Repeat("\u0958", 11), ""},
		{"EAI-10 grows in lower case", fold, strings.Repeat("\u023a", 32), ""},
		{"UTF8-04 not UTF-8", fold, "jos\xe9", ""},
		{"PATH-04 empty", fold, "", ""},
		{"PATH-04 space", fold, "A b", "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.policy.Key(tt.local)
			if got != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("%+q: %+q, %v, want %+q", tt.local, got, err, tt.want)
			}
			if err != nil && !errors.Is(err, address.ErrNoKey) {
				t.Errorf("%+q: error %v, want ErrNoKey", tt.local, err)
			}
		})
	}
}

func TestSplitDetail(t *testing.T) {
	tests := []struct {
		name, local, delimiters, user, detail string
		ok                                    bool
	}{
		{"PATH-11 plus", "u1+tag", "+", "u1", "tag", true},
		{"PATH-11 first of two", "u1+a+b", "+", "u1", "a+b", true},
		{"PATH-11 first of a set", "u1-a+b", "+-", "u1", "a+b", true},
		{"PATH-11 other delimiter", "u1-a+b", "+", "u1-a", "b", true},
		{"PATH-11 no delimiters", "u1+tag", "", "u1+tag", "", false},
		{"SIEVE-14 empty detail", "u1+", "+", "u1", "", true},
		{"leading delimiter", "+tag", "+", "+tag", "", false},
		{"leading delimiter, then another", "+u1+tag", "+", "+u1", "tag", true},
		{"none", "u1", "+", "u1", "", false},
		{"empty", "", "+", "", "", false},
		{"EAI-09 full-width plus", "jos\u00e9\uff0bx", "+", "jos\u00e9\uff0bx", "", false},
		{"EAI-09 plus after UTF-8", "jos\u00e9+\u00fc", "+", "jos\u00e9", "\u00fc", true},
		{"EAI-09 delimiters that are not ASCII", "jos\u00e9x", "\u00e9", "jos\u00e9x", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			user, detail, ok := address.SplitDetail(tt.local, tt.delimiters)
			if user != tt.user || detail != tt.detail || ok != tt.ok {
				t.Errorf("%q by %q: %q, %q, %t", tt.local, tt.delimiters, user, detail, ok)
			}
		})
	}
}
