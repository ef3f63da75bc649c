package address_test

import (
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func TestRender(t *testing.T) {
	const no = "(none)" // a header form that does not exist
	type addr = address.Address
	tests := []struct {
		name                     string
		a                        address.Address
		wire, log, ascii, header string
	}{
		{"null", addr{}, "", "<>", "", ""},
		{"PATH-02 Postmaster", addr{"Postmaster", "Postmaster", ""}, "Postmaster", "Postmaster", "Postmaster", "Postmaster"},
		{"PATH-04 no quotes needed", addr{`"u1"@D.example`, "u1", "D.example"}, "u1@D.example", "u1@D.example",
			"u1@D.example", "u1@D.example"},
		{"PATH-04 space", addr{"", "a b", "d.example"}, `"a b"@d.example`, `"a b"@d.example`, `"a b"@d.example`,
			`"a b"@d.example`},
		{"PATH-04 quote and backslash", addr{"", `a"\b`, "d.example"}, `"a\"\\b"@d.example`, `"a\"\\b"@d.example`,
			`"a\"\\b"@d.example`, `"a\"\\b"@d.example`},
		{"PATH-04 empty", addr{"", "", "d.example"}, `""@d.example`, `""@d.example`, `""@d.example`, `""@d.example`},
		{"PATH-05 dots", addr{"", "a..b", "d.example"}, `"a..b"@d.example`, `"a..b"@d.example`, `"a..b"@d.example`,
			`"a..b"@d.example`},
		{"PATH-07 literal", addr{"", "a", "[x:a.xn--bcher-kva.b]"}, "a@[x:a.xn--bcher-kva.b]", "a@[x:a.xn--bcher-kva.b]",
			"a@[x:a.xn--bcher-kva.b]", "a@[x:a.xn--bcher-kva.b]"},
		{"UTF8-09 U-label", addr{"", "u1", "B\u00fccher.Example"}, "u1@B\u00fccher.Example", "u1@b\u00fccher.Example",
			"u1@xn--bcher-kva.Example", "u1@b\u00fccher.Example"},
		{"UTF8-09 A-label", addr{"", "u1", "XN--bcher-kva.example"}, "u1@XN--bcher-kva.example", "u1@b\u00fccher.example",
			"u1@XN--bcher-kva.example", "u1@b\u00fccher.example"},
		{"UTF8-09 xn-- that is no A-label", addr{"", "u1", "xn--u-ccb.example"}, "u1@xn--u-ccb.example",
			"u1@xn--u-ccb.example", "u1@xn--u-ccb.example", "u1@xn--u-ccb.example"},
		{"UTF8-09 A-label of no U-label", addr{"", "u1", "xn--BCHER-KVA8445C.example"}, "u1@xn--BCHER-KVA8445C.example",
			"u1@xn--BCHER-KVA8445C.example", "u1@xn--BCHER-KVA8445C.example", "u1@xn--BCHER-KVA8445C.example"},
		{"EAI-02 A-labels not fit for display", addr{"", "u1", "1a.xn--4dbc"}, "u1@1a.xn--4dbc", "u1@1a.xn--4dbc",
			"u1@1a.xn--4dbc", "u1@1a.xn--4dbc"},
		{"UTF8-09 local part", addr{"", "jos\u00e9", "xn--bcher-kva.example"}, "jos\u00e9@xn--bcher-kva.example",
			"jos\u00e9@b\u00fccher.example", no, "jos\u00e9@b\u00fccher.example"},
		{"UTF8-15 quoted", addr{"", "jos\u00e9 x", "d.example"}, "\"jos\u00e9 x\"@d.example", "\"jos\u00e9 x\"@d.example", no,
			"\"jos\u00e9 x\"@d.example"},
		{"UTF8-15 a backslash is doubled", addr{"", `\x{e9}`, "d.example"}, `"\\x{e9}"@d.example`, `"\\x{e9}"@d.example`,
			`"\\x{e9}"@d.example`, `"\\x{e9}"@d.example`},
		{"UTF8-15 bidi control", addr{"", "u\u202e1", "d.example"}, "u\u202e1@d.example", `u\x{202e}1@d.example`, no, no},
		{"UTF8-15 raw C1", addr{"", "u\x9b1", "d.example"}, "u\x9b1@d.example", `u\x9b1@d.example`, no, no},
		{"UTF8-15 not UTF-8", addr{"", "jos\xe9", "d.example"}, "jos\xe9@d.example", `jos\xe9@d.example`, no, no},
		{"UTF8-15 replacement character", addr{"", "\ufffd", "d.example"}, "\ufffd@d.example", `\x{fffd}@d.example`, no,
			"\ufffd@d.example"},
		{"EAI-08 C1", addr{"", "u\u0085", "d.example"}, "u\u0085@d.example", `u\x{85}@d.example`, no, no},
		{"EAI-08 line separator", addr{"", "u\u2028", "d.example"}, "u\u2028@d.example", `u\x{2028}@d.example`, no, no},
		{"EAI-08 line end by hand", addr{"", "u\r\nX: y", "d.example"}, "\"u\r\nX: y\"@d.example",
			`"u\x{d}\x{a}X: y"@d.example`, no, no},
		{"PATH-05 underscore", addr{"", "u1", "A_b.example"}, "u1@A_b.example", "u1@A_b.example", "u1@A_b.example",
			"u1@A_b.example"},
		{"PATH-05 symbol", addr{"", "u1", "I\u2764.xn--bcher-kva.example"}, "u1@I\u2764.xn--bcher-kva.example",
			"u1@I\u2764.b\u00fccher.example", no, "u1@I\u2764.b\u00fccher.example"},
		{"PATH-05 bidi control in a domain by hand", addr{"", "u1", "a\u202eb.example"}, "u1@a\u202eb.example",
			`u1@a\x{202e}b.example`, no, no},
		{"bad domain by hand", addr{"", "u", "b\u00e9\x00.\xff"}, "u@b\u00e9\x00.\xff", `u@bé\x{0}.\xff`, no, no},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := func(utf8 bool) string {
				if h, ok := tt.a.Header(utf8); ok {
					return h
				}
				return no
			}
			for _, form := range []struct{ name, got, want string }{
				{"String", tt.a.String(), tt.wire},
				{"Path", tt.a.Path(), "<" + tt.wire + ">"},
				{"Log", tt.a.Log(), tt.log},
				{"Header(false)", header(false), tt.ascii},
				{"Header(true)", header(true), tt.header},
			} {
				if form.got != form.want {
					t.Errorf("%s: %+q, want %+q", form.name, form.got, form.want)
				}
			}
		})
	}
}

func TestAddressProperties(t *testing.T) {
	tests := []struct {
		path                 string
		null, ascii, literal bool
	}{
		{"", true, true, false},
		{"a@d.example", false, true, false},
		{"a@xn--bcher-kva.example", false, true, false},
		{"a@b\u00fccher.example", false, false, false},
		{"jos\u00e9@d.example", false, false, false},
		{"a@[192.0.2.1]", false, true, true},
	}
	for _, tt := range tests {
		a, err := address.Parser{UTF8: true}.ReversePath(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if a.IsNull() != tt.null || a.IsASCII() != tt.ascii || a.IsLiteral() != tt.literal {
			t.Errorf("%q: null=%t ascii=%t literal=%t", tt.path, a.IsNull(), a.IsASCII(), a.IsLiteral())
		}
	}
}
