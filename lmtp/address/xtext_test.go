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
	for in, want := range map[string]string{
		"":                      "",
		"u1+tag@dst.example":    "u1+2Btag@dst.example",
		"a=b c":                 "a+3Db+20c",
		"jos\u00e9":             "jos+C3+A9",
		"a\r\n\x7f":             "a+0D+0A+7F",
		`"q\uoted"@dst.example`: `"q\uoted"@dst.example`,
	} {
		if got := address.EncodeXtext(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
