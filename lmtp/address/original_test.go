package address_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func TestParseORCPT(t *testing.T) {
	tests := []struct {
		name, in, kind, addr string // kind "": as good as none
	}{
		{"DSN-04 xtext", "rfc822;u1+2Btag@dst.example", "rfc822", "u1+tag@dst.example"},
		{"DSN-04 type in any case", "RFC822;u1@dst.example", "rfc822", "u1@dst.example"},
		{"of another mail system", "x400;/G+3DA/", "x400", "/G=A/"},
		{"DSN-09 utf-8-addr-xtext", `utf-8;\x{7528}\x{6237}+2B1@dst.example`, "utf-8", "用户+1@dst.example"},
		{"DSN-09 hex in any case", `utf-8;jos\x{E9}\x{e9}@b`, "utf-8", "joséé@b"},
		{"DSN-09 utf-8-addr-unitext", `utf-8;josé\x{2B}a@b`, "utf-8", "josé+a@b"},
		{"DSN-09 UTF-8 with a plus, as Exim has it", "utf-8;josé+AB@b", "utf-8", "josé+AB@b"},
		{"DSN-09 UTF-8 in xtext, as Postfix has it", "rfc822;+E7+94+A8+E6+88+B7@dst.example", "utf-8", "用户@dst.example"},
		{"DSN-09 UTF-8 as it is", "rfc822;josé@b", "utf-8", "josé@b"},
		{"DSN-09 no UTF-8", "rfc822;jos+E9@b", "rfc822", "jos+E9@b"},
		{"not an address at all", "rfc822;x", "rfc822", "x"},

		{"DSN-04 plus as it is", "rfc822;u1+tag@dst.example", "", ""},
		{"DSN-04 a line end", "rfc822;u1+0D+0AX:y@dst.example", "", ""},
		{"DSN-09 a line end", `utf-8;u1\x{0D}\x{0A}X:y@dst.example`, "", ""},
		{"DSN-09 a line separator", `utf-8;u1\x{2028}@dst.example`, "", ""},
		{"DSN-09 a surrogate", `utf-8;\x{D800}@b`, "", ""},
		{"DSN-09 above all characters", `utf-8;\x{110000}@b`, "", ""},
		{"no UTF-8 as it is", "utf-8;jos\xe9@b", "", ""},
		{"no type", "u1@dst.example", "", ""},
		{"empty type", ";u1@dst.example", "", ""},
		{"type no atom", "a(b;u1@dst.example", "", ""},
		{"no address", "rfc822;", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, ok := address.ParseORCPT(tt.in)
			if want := (address.Original{Type: tt.kind, Address: tt.addr}); o != want || ok != (tt.kind != "") {
				t.Errorf("%q: %+v, %v", tt.in, o, ok)
			}
		})
	}
}

func TestORCPT(t *testing.T) {
	tests := []struct {
		name, kind, addr, want string // want "": refused
	}{
		{"plus and equals sign", "rfc822", "u1+a=b@dst.example", "rfc822;u1+2Ba+3Db@dst.example"},
		{"DSN-09", "utf-8", "用户@例え.example", `utf-8;\x{7528}\x{6237}@\x{4F8B}\x{3048}.example`},
		{"DSN-09 specials", "utf-8", `é+=\ @b`, `utf-8;\x{E9}\x{2B}\x{3D}\x{5C}\x{20}@b`},
		{"outside of the BMP", "utf-8", "\U0001F4EC@b", `utf-8;\x{1F4EC}@b`},
		{"as long as servers take", "x400", strings.Repeat("a", 495), "x400;" + strings.Repeat("a", 495)},
		{"longer", "x400", strings.Repeat("a", 496), ""},
		{"not ASCII", "rfc822", "josé@b", ""},
		{"no type", "", "a@b", ""},
		{"type no atom", "a b", "a@b", ""},
		{"no address", "rfc822", "", ""},
		{"line end", "utf-8", "a@b\nX: y", ""},
		{"no UTF-8", "utf-8", "jos\xe9@b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := address.Original{Type: tt.kind, Address: tt.addr}
			got, err := o.ORCPT()
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Whatever a client sends, what is read is one line of text, and is read again as the same from what we would send.
func FuzzORCPT(f *testing.F) {
	for _, seed := range []string{"rfc822;u1+2Btag@b", `utf-8;\x{7528}@b`, "utf-8;josé+AB@b", "rfc822;jos+E9@b", "x;+",
		`utf-8;a\x{5C}x{41}@b`, `utf-8;+5Cx{0A}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		o, ok := address.ParseORCPT(value)
		if !ok {
			return
		}
		if !utf8.ValidString(o.Address) || strings.ContainsAny(o.String(), "\r\n\x00\u2028\u0085") {
			t.Fatalf("%q: %q", value, o)
		}
		encoded, err := o.ORCPT()
		if err != nil {
			if len(value) < 100 {
				t.Fatalf("%q: %q: %v", value, o, err)
			}
			return
		}
		if again, ok := address.ParseORCPT(encoded); !ok || again != o {
			t.Errorf("%q: %q, sent as %q, read as %q", value, o, encoded, again)
		}
	})
}
