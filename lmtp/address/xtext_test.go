package address_test

import (
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func TestDecodeXtext(t *testing.T) {
	tests := []struct {
		name, in, want string
		ok             bool
	}{
		{"DSN-04 escape", "QQ+2B", "QQ+", true},
		{"DSN-04 address", "u1+2Btag@dst.example", "u1+tag@dst.example", true},
		{"DSN-04 space", "a+20b", "a b", true},
		{"high octets", "jos+C3+A9", "jos\u00e9", true},
		{"empty", "", "", true},
		{"DSN-04 lower-case hex", "a+2b", "", false},
		{"DSN-04 not hex", "a+G0", "", false},
		{"DSN-04 plus at the end", "a+", "", false},
		{"DSN-04 one digit", "a+2", "", false},
		{"DSN-04 plus not encoded", "u1+tag@dst.example", "", false},
		{"DSN-04 equals sign", "a=b", "", false},
		{"DSN-04 space not encoded", "a b", "", false},
		{"DSN-04 high octet not encoded", "jos\u00e9", "", false},
		{"DSN-04 line feed", "a+0Ab", "", false},
		{"DSN-04 NUL", "a+00", "", false},
		{"DSN-04 DEL", "a+7F", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := address.DecodeXtext(tt.in)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("%q: %q, %v", tt.in, got, err)
			}
		})
	}
}

func TestEncodeXtext(t *testing.T) {
	const in, want = "a+b=c \u00e9\x7f~!", "a+2Bb+3Dc+20+C3+A9+7F~!"
	if got := address.EncodeXtext(in); got != want {
		t.Errorf("%q: %q, want %q", in, got, want)
	}
}

func TestDecodeUTF8Addr(t *testing.T) {
	tests := []struct {
		name, in  string
		raw       bool
		want      string
		ok, coded bool // coded: in is what EncodeUTF8Addr makes of want
	}{
		{"DSN-09 7-bit", `jos\x{E9}@dst.example`, false, "jos\u00e9@dst.example", true, true},
		{"DSN-09 lower-case hex", `jos\x{e9}@dst.example`, false, "jos\u00e9@dst.example", true, false},
		{"DSN-09 unitext", "jos\u00e9@dst.example", true, "jos\u00e9@dst.example", true, false},
		{"DSN-09 unitext and escape", "jos\u00e9\\x{4E2D}@dst.example", true, "jos\u00e9\u4e2d@dst.example", true, false},
		{"DSN-09 raw without SMTPUTF8", "jos\u00e9@dst.example", false, "", false, false},
		{"DSN-09 reserved characters", `a\x{2B}\x{3D}\x{20}\x{5C}`, false, `a+= \`, true, true},
		{"DSN-09 six digits", `\x{10FFFF}`, false, "\U0010ffff", true, true},
		{"DSN-09 five digits", `\x{1F600}`, false, "\U0001f600", true, true},
		{"DSN-09 surrogate", `\x{D800}`, false, "", false, false},
		{"DSN-09 beyond Unicode", `\x{110000}`, false, "", false, false},
		{"DSN-09 ASCII that needs no escape", `\x{41}`, false, "", false, false},
		{"DSN-09 upper-case X", `\X{E9}`, false, "", false, false},
		{"DSN-09 not closed", `\x{E9`, false, "", false, false},
		{"DSN-09 one digit", `\x{9}`, false, "", false, false},
		{"DSN-09 seven digits", `\x{00000E9}`, false, "", false, false},
		{"DSN-09 leading zero", `\x{0E9}`, false, "", false, false},
		{"DSN-09 sign", `\x{+E9}`, false, "", false, false},
		{"DSN-09 empty braces", `\x{}`, false, "", false, false},
		{"DSN-09 backslash alone", `a\b`, false, "", false, false},
		{"DSN-09 plus", `a+2Bb`, false, "", false, false},
		{"DSN-09 space", `a b`, true, "", false, false},
		{"DSN-09 line feed", `a\x{0A}`, false, "", false, false},
		{"DSN-09 C1 control", `a\x{85}`, false, "", false, false},
		{"DSN-09 raw C1 control", "a\u0085", true, "", false, false},
		{"DSN-09 not UTF-8", "jos\xe9", true, "", false, false},
		{"DSN-09 empty", "", true, "", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := address.DecodeUTF8Addr(tt.in, tt.raw)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("%q: %q, %v", tt.in, got, err)
			}
			if code := address.EncodeUTF8Addr(tt.want); tt.coded && code != tt.in {
				t.Errorf("%q is encoded as %q, want %q", tt.want, code, tt.in)
			}
		})
	}
}
