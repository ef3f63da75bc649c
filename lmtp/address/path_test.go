package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/google/go-cmp/cmp"
)

// A parseFunc is one of the parsers with its mode decided.
type parseFunc func(string) (address.Address, error)

func reverse(utf8 bool) parseFunc {
	return func(s string) (address.Address, error) { return address.Parser{UTF8: utf8}.ReversePath(s) }
}

func forward(utf8 bool) parseFunc {
	return func(s string) (address.Address, error) { return address.Parser{UTF8: utf8}.ForwardPath(s) }
}

func TestParsePath(t *testing.T) {
	type addr = address.Address
	tests := []struct {
		name  string
		parse parseFunc
		path  string
		want  address.Address
		err   error
	}{
		{"PATH-01 null reverse-path", reverse(false), "", addr{}, nil},
		{"PATH-02 no null forward-path", forward(false), "", addr{}, address.ErrSyntax},
		{"PATH-02 Postmaster in any case", forward(false), "pOsTmAsTeR", addr{"pOsTmAsTeR", "pOsTmAsTeR", ""}, nil},
		{"PATH-02 Postmaster quoted", forward(false), `"postmaster"`, addr{`"postmaster"`, "postmaster", ""}, nil},
		{"PATH-02 Postmaster with quoted-pair", forward(false), `"post\master"`, addr{`"post\master"`, "postmaster", ""},
			nil},
		{"PATH-02 Postmaster with domain", forward(false), "postmaster@d.example",
			addr{"postmaster@d.example", "postmaster", "d.example"}, nil},
		{"PATH-02 no other name without domain", forward(false), "u1", addr{}, address.ErrSyntax},
		{"PATH-02 long s is no s", forward(true), "po\u017ftmaster", addr{}, address.ErrSyntax},
		{"PATH-02 no Postmaster after a route", forward(false), "@a.example:postmaster", addr{}, address.ErrSyntax},
		{"PATH-02 bare Postmaster in MAIL", reverse(false), "postmaster", addr{"postmaster", "postmaster", ""}, nil},
		{"PATH-03 route dropped", forward(false), "@a.example,@b.example:u1@dst.example",
			addr{"u1@dst.example", "u1", "dst.example"}, nil},
		{"PATH-03 route dropped in MAIL", reverse(false), "@a.example:s@src.example",
			addr{"s@src.example", "s", "src.example"}, nil},
		{"PATH-03 U-label in route", forward(true), "@b\u00fccher.example:u1@dst.example",
			addr{"u1@dst.example", "u1", "dst.example"}, nil},
		{"PATH-03 route alone", forward(false), "@a.example:", addr{}, address.ErrSyntax},
		{"PATH-03 route without colon", forward(false), "@a.example", addr{}, address.ErrSyntax},
		{"PATH-03 route with empty hop", forward(false), "@a.example,:u1@dst.example", addr{}, address.ErrSyntax},
		{"PATH-03 hop without @", forward(false), "@a.example,b.example:u1@dst.example", addr{}, address.ErrSyntax},
		{"PATH-03 bad domain in route", forward(false), "@-a.example:u1@dst.example", addr{}, address.ErrSyntax},
		{"PATH-04 quoted", forward(false), `"u1"@dst.example`, addr{`"u1"@dst.example`, "u1", "dst.example"}, nil},
		{"PATH-04 quoted-pairs", forward(false), `"\u\1"@dst.example`, addr{`"\u\1"@dst.example`, "u1", "dst.example"}, nil},
		{"PATH-04 quoted space", forward(false), `"a b"@d.example`, addr{`"a b"@d.example`, "a b", "d.example"}, nil},
		{"PATH-04 quoted quote", forward(false), `"a\"b"@d.example`, addr{`"a\"b"@d.example`, `a"b`, "d.example"}, nil},
		{"PATH-04 quoted at sign", forward(false), `"@"@d.example`, addr{`"@"@d.example`, "@", "d.example"}, nil},
		{"PATH-04 quoted bracket", forward(false), `">"@d.example`, addr{`">"@d.example`, ">", "d.example"}, nil},
		{"PATH-04 empty quoted string", forward(false), `""@d.example`, addr{`""@d.example`, "", "d.example"}, nil},
		{"PATH-04 quote not closed", forward(false), `"u1@dst.example`, addr{}, address.ErrSyntax},
		{"PATH-04 control in quotes", forward(false), "\"a\x01b\"@d.example", addr{}, address.ErrSyntax},
		{"PATH-04 quote inside an atom", forward(false), `u1"x"@d.example`, addr{}, address.ErrSyntax},
		{"PATH-04 backslash at the end", forward(false), `"u1\`, addr{}, address.ErrSyntax},
		{"PATH-05 leading dot", forward(false), ".u1@dst.example", addr{}, address.ErrSyntax},
		{"PATH-05 trailing dot", forward(false), "u1.@dst.example", addr{}, address.ErrSyntax},
		{"PATH-05 double dot", forward(false), "u..1@dst.example", addr{}, address.ErrSyntax},
		{"PATH-05 dots in MAIL", reverse(false), ".a..b.@docomo.example",
			addr{".a..b.@docomo.example", ".a..b.", "docomo.example"}, nil},
		{"PATH-05 no empty local part in MAIL", reverse(false), "@docomo.example", addr{}, address.ErrSyntax},
		{"PATH-05 no local part in MAIL", reverse(false), " @docomo.example", addr{}, address.ErrSyntax},
		{"PATH-06 underscore", forward(false), "a@my_host.example", addr{}, address.ErrSyntax},
		{"PATH-05 underscore in MAIL", reverse(false), "a@_my_host.example",
			addr{"a@_my_host.example", "a", "_my_host.example"}, nil},
		{"PATH-05 hyphens in MAIL", reverse(false), "a@-b-.src--x.example",
			addr{"a@-b-.src--x.example", "a", "-b-.src--x.example"}, nil},
		{"PATH-05 trailing dot in MAIL", reverse(false), "a@src.example.", addr{"a@src.example.", "a", "src.example."}, nil},
		{"PATH-05 dot alone in MAIL", reverse(false), "a@.", addr{"a@.", "a", "."}, nil},
		{"PATH-05 empty label in MAIL", reverse(false), "a@src..example", addr{"a@src..example", "a", "src..example"}, nil},
		{"PATH-05 slash in MAIL", reverse(false), "u@host/dept.example",
			addr{"u@host/dept.example", "u", "host/dept.example"}, nil},
		{"PATH-05 plus in MAIL", reverse(false), "u@a+b.example", addr{"u@a+b.example", "u", "a+b.example"}, nil},
		{"PATH-05 dollar in MAIL", reverse(false), "u@exa$mple", addr{"u@exa$mple", "u", "exa$mple"}, nil},
		{"PATH-05 no domain in MAIL", reverse(false), "MAILER-DAEMON", addr{"MAILER-DAEMON", "MAILER-DAEMON", ""}, nil},
		{"PATH-05 quoted without domain in MAIL", reverse(false), `"a b"`, addr{`"a b"`, "a b", ""}, nil},
		{"PATH-05 quoted at an odd domain in MAIL", reverse(false), `"a b"@h/d.example`,
			addr{`"a b"@h/d.example`, "a b", "h/d.example"}, nil},
		{"PATH-05 two at signs in MAIL", reverse(false), "a@b@src.example", addr{"a@b@src.example", "a@b", "src.example"},
			nil},
		{"PATH-05 odd route in MAIL", reverse(false), "@h/d.example:a@src.example", addr{"a@src.example", "a", "src.example"},
			nil},
		{"PATH-05 domain alone in MAIL", reverse(false), "a@", addr{}, address.ErrSyntax},
		{"PATH-05 empty name without domain in MAIL", reverse(false), `""`, addr{}, address.ErrSyntax},
		{"PATH-05 quote not closed in MAIL", reverse(false), `"a@src.example`, addr{}, address.ErrSyntax},
		{"PATH-05 bracket in MAIL", reverse(false), "<a@src.example", addr{}, address.ErrSyntax},
		{"PATH-05 closing bracket in a domain of MAIL", reverse(false), "a@src>.example", addr{}, address.ErrSyntax},
		{"PATH-05 odd domain without SMTPUTF8", reverse(false), "a@h/\u00fc.example", addr{}, address.ErrNeedsUTF8},
		{"PATH-05 odd domain with SMTPUTF8", reverse(true), "a@h/\u00fc.example",
			addr{"a@h/\u00fc.example", "a", "h/\u00fc.example"}, nil},
		{"PATH-05 line separator in MAIL", reverse(true), "a\u2028@src.example", addr{}, address.ErrSyntax},
		{"PATH-08 983 octets in MAIL", reverse(false), strings.Repeat("a", 971) + "@src.example",
			addr{strings.Repeat("a", 971) + "@src.example", strings.Repeat("a", 971), "src.example"}, nil},
		{"PATH-08 984 octets in MAIL", reverse(false), strings.Repeat("a", 972) + "@src.example", addr{}, address.ErrSyntax},
		{"PATH-05 underscore in a route of MAIL", reverse(false), "@a_b.example:s@src.example",
			addr{"s@src.example", "s", "src.example"}, nil},
		{"PATH-05 space in a domain of MAIL", reverse(false), "a@src example", addr{}, address.ErrSyntax},
		{"PATH-05 symbol in MAIL", reverse(true), "a@i\u2764\ufe0f.example",
			addr{"a@i\u2764\ufe0f.example", "a", "i\u2764\ufe0f.example"}, nil},
		{"PATH-05 symbol in MAIL without SMTPUTF8", reverse(false), "a@i\u2764.example", addr{}, address.ErrNeedsUTF8},
		{"PATH-05 symbol in RCPT", forward(true), "a@i\u2764.example", addr{}, address.ErrSyntax},
		{"PATH-05 full-width in MAIL", reverse(true), "a@\uff53rc.example",
			addr{"a@\uff53rc.example", "a", "\uff53rc.example"}, nil},
		{"PATH-05 ZWNJ in its context in MAIL", reverse(true), "a@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example",
			addr{"a@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", "a",
				"\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example"}, nil},
		{"PATH-05 bidi control in a domain of MAIL", reverse(true), "a@s\u202erc.example", addr{}, address.ErrSyntax},
		{"PATH-05 zero-width space in a domain of MAIL", reverse(true), "a@s\u200brc.example", addr{}, address.ErrSyntax},
		{"PATH-05 no-break space in a domain of MAIL", reverse(true), "a@s\u00a0rc.example", addr{}, address.ErrSyntax},
		{"PATH-05 C1 in a domain of MAIL", reverse(true), "a@s\u0085rc.example", addr{}, address.ErrSyntax},
		{"PATH-05 line separator in a domain of MAIL", reverse(true), "a@s\u2028rc.example", addr{}, address.ErrSyntax},
		{"PATH-05 ideographic full stop in MAIL", reverse(true), "a@src\u3002example", addr{}, address.ErrSyntax},
		{"PATH-06 one label", forward(false), "u1@localhost", addr{"u1@localhost", "u1", "localhost"}, nil},
		{"PATH-06 digits", forward(false), "u1@3com.1", addr{"u1@3com.1", "u1", "3com.1"}, nil},
		{"PATH-06 trailing dot", forward(false), "u1@dst.example.", addr{}, address.ErrSyntax},
		{"PATH-06 trailing dot allowed", address.Parser{TrailingDot: true}.ForwardPath, "u1@dst.example.",
			addr{"u1@dst.example.", "u1", "dst.example."}, nil},
		{"PATH-06 two trailing dots", address.Parser{TrailingDot: true}.ForwardPath, "u1@dst.example..", addr{},
			address.ErrSyntax},
		{"PATH-06 dot alone", address.Parser{TrailingDot: true}.ForwardPath, "u1@.", addr{}, address.ErrSyntax},
		{"PATH-07 literal", forward(false), "u1@[127.0.0.1]", addr{"u1@[127.0.0.1]", "u1", "[127.0.0.1]"}, nil},
		{"PATH-07 bad literal", forward(false), "u1@[256.1.1.1]", addr{}, address.ErrSyntax},
		{"PATH-07 literal in MAIL", reverse(false), "a@[IPv6:::1]", addr{"a@[IPv6:::1]", "a", "[IPv6:::1]"}, nil},
		{"PATH-08 long sender", reverse(false), strings.Repeat("a", 200) + "@src.example",
			addr{strings.Repeat("a", 200) + "@src.example", strings.Repeat("a", 200), "src.example"}, nil},
		{"PATH-08 long sender domain", reverse(false), "a@" + strings.Repeat("b", 300),
			addr{"a@" + strings.Repeat("b", 300), "a", strings.Repeat("b", 300)}, nil},
		{"PATH-09 NUL", forward(false), "u\x001@dst.example", addr{}, address.ErrSyntax},
		{"PATH-09 DEL", forward(false), "u\x7f1@dst.example", addr{}, address.ErrSyntax},
		{"PATH-09 control beside high octets", forward(false), "\u00e9\x01@dst.example", addr{}, address.ErrSyntax},
		{"PATH-09 line end in MAIL", reverse(false), "a@src.example\r\nRCPT", addr{}, address.ErrSyntax},
		{"UTF8-03 RCPT", forward(false), "jos\u00e9@dst.example", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 MAIL", reverse(false), "jos\u00e9@src.example", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 domain", forward(false), "u1@b\u00fccher.example", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 quoted", forward(false), "\"jos\u00e9\"@dst.example", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 quoted-pair", forward(false), "\"jos\\\u00e9\"@dst.example", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 literal", forward(false), "u1@[x:\u00e9]", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 source route", forward(false), "@b\u00fccher.example:u1@dst.example", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 octets that are not UTF-8", forward(false), "jos\xe9@dst.example", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 other faults first", forward(false), "jos\u00e9 x@dst.example", addr{}, address.ErrSyntax},
		{"UTF8-03 lenient local part", address.Parser{Lenient8Bit: true}.ForwardPath, "jos\u00e9@dst.example",
			addr{"jos\u00e9@dst.example", "jos\u00e9", "dst.example"}, nil},
		{"UTF8-03 lenient, not UTF-8", address.Parser{Lenient8Bit: true}.ReversePath, "jos\xe9@src.example",
			addr{"jos\xe9@src.example", "jos\xe9", "src.example"}, nil},
		{"UTF8-03 lenient, domain", address.Parser{Lenient8Bit: true}.ForwardPath, "jos\u00e9@b\u00fccher.example",
			addr{"jos\u00e9@b\u00fccher.example", "jos\u00e9", "b\u00fccher.example"}, nil},
		{"UTF8-03 lenient, domain of a sender", address.Parser{Lenient8Bit: true}.ReversePath, "a..b@b\u00fccher.example",
			addr{"a..b@b\u00fccher.example", "a..b", "b\u00fccher.example"}, nil},
		{"UTF8-03 lenient, domain not UTF-8", address.Parser{Lenient8Bit: true}.ForwardPath, "u1@b\xfccher.example", addr{},
			address.ErrNeedsUTF8},
		{"UTF8-03 lenient, odd sender's domain not UTF-8", address.Parser{Lenient8Bit: true}.ReversePath,
			"a/b@x/b\xfccher.example", addr{}, address.ErrNeedsUTF8},
		{"UTF8-03 lenient, no U-label", address.Parser{Lenient8Bit: true}.ForwardPath, "u1@b\u00fccher\u3002example", addr{},
			address.ErrSyntax},
		{"UTF8-04 RCPT", forward(true), "jos\u00e9@b\u00fccher.example",
			addr{"jos\u00e9@b\u00fccher.example", "jos\u00e9", "b\u00fccher.example"}, nil},
		{"UTF8-04 quoted equals unquoted", forward(true), "\"jos\u00e9\"@dst.example",
			addr{"\"jos\u00e9\"@dst.example", "jos\u00e9", "dst.example"}, nil},
		{"UTF8-04 overlong", forward(true), "u\xc0\xaf@dst.example", addr{}, address.ErrSyntax},
		{"UTF8-04 surrogate in MAIL", reverse(true), "u\xed\xa0\x80@src.example", addr{}, address.ErrSyntax},
		{"UTF8-04 truncated", reverse(true), "u\xc3@src.example", addr{}, address.ErrSyntax},
		{"UTF8-04 ideographic full stop", forward(true), "u1@b\u00fccher\u3002example", addr{}, address.ErrSyntax},
		{"EAI-02 Bidi rule", forward(true), "u1@\u05d01a.example", addr{}, address.ErrSyntax},
		{"EAI-02 no Bidi rule in MAIL", reverse(true), "u1@\u05d01a.example",
			addr{"u1@\u05d01a.example", "u1", "\u05d01a.example"}, nil},
		{"EAI-03 A-label needs no SMTPUTF8", forward(false), "u1@xn--bcher-kva.example",
			addr{"u1@xn--bcher-kva.example", "u1", "xn--bcher-kva.example"}, nil},
		{"EAI-03 non-ASCII local part at A-label", forward(true), "jos\u00e9@xn--bcher-kva.example",
			addr{"jos\u00e9@xn--bcher-kva.example", "jos\u00e9", "xn--bcher-kva.example"}, nil},
		{"EAI-08 C1 in MAIL", reverse(true), "u\u00851@src.example", addr{}, address.ErrSyntax},
		{"EAI-08 bidi control in MAIL", reverse(true), "u\u202e1@src.example", addr{}, address.ErrSyntax},
		{"EAI-08 line separator in MAIL", reverse(true), "u\u20281@src.example", addr{}, address.ErrSyntax},
		{"EAI-08 zero-width space in MAIL", reverse(true), "u\u200b1@src.example",
			addr{"u\u200b1@src.example", "u\u200b1", "src.example"}, nil},
		{"EAI-08 C1 in RCPT parses", forward(true), "u\u00851@dst.example",
			addr{"u\u00851@dst.example", "u\u00851", "dst.example"}, nil},
		{"configuration", address.Parse, "jos\u00e9@b\u00fccher.example",
			addr{"jos\u00e9@b\u00fccher.example", "jos\u00e9", "b\u00fccher.example"}, nil},
		{"configuration quoted", address.Parse, `"a b"@d.example`, addr{`"a b"@d.example`, "a b", "d.example"}, nil},
		{"configuration without domain", address.Parse, "postmaster", addr{}, address.ErrSyntax},
		{"configuration with brackets", address.Parse, "<a@d.example>", addr{}, address.ErrSyntax},
		{"configuration with route", address.Parse, "@a.example:u1@d.example", addr{}, address.ErrSyntax},
		{"configuration with tail", address.Parse, "a@d.example, b@d.example", addr{}, address.ErrSyntax},
		{"configuration dots", address.Parse, "a..b@d.example", addr{}, address.ErrSyntax},
		{"configuration not UTF-8", address.Parse, "jos\xe9@d.example", addr{}, address.ErrSyntax},
		{"configuration empty", address.Parse, "", addr{}, address.ErrSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.path)
			if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
				t.Fatalf("%q: error %v, want %v", tt.path, err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.path, diff)
			}
			if err != nil {
				checkPrintable(t, err.Error())
			}
		})
	}
}

func TestScanPath(t *testing.T) {
	tests := []struct {
		name, s, path, rest string
		ok                  bool
	}{
		{"null path", "<>", "", "", true},
		{"plain", "<u1@dst.example>", "u1@dst.example", "", true},
		{"parameters", "<u1@dst.example> SIZE=1", "u1@dst.example", " SIZE=1", true},
		{"PATH-12 no space", "<a@b.example>SIZE=1", "a@b.example", "SIZE=1", true},
		{"bracket in a parameter", "<a@b.example> X=<y>", "a@b.example", " X=<y>", true},
		{"PATH-04 quoted bracket", `<">"@d.example> X`, `">"@d.example`, " X", true},
		{"PATH-04 quoted quote and bracket", `<"\">"@d.example>`, `"\">"@d.example`, "", true},
		{"PATH-04 backslash before the closing quote", `<"\\"@d.example>`, `"\\"@d.example`, "", true},
		{"PATH-07 bracket and quote in a literal", `<u1@[x:">"]>`, `u1@[x:">"]`, "", true},
		{"octets that are not UTF-8", "<\xff\xc3>", "\xff\xc3", "", true},
		{"bracket inside", "<<a@b.example>>", "<a@b.example", ">", true},
		{"no bracket", "u1@dst.example", "", "", false},
		{"empty", "", "", "", false},
		{"not closed", "<u1@dst.example", "", "", false},
		{"PATH-04 quote not closed", `<"u1@dst.example>`, "", "", false},
		{"PATH-04 backslash at the end", `<"\`, "", "", false},
		{"PATH-07 literal not closed", "<u1@[1.2.3.4>", "", "", false},
		{"space before", " <u1@dst.example>", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, rest, err := address.ScanPath(tt.s)
			if path != tt.path || rest != tt.rest || (err == nil) != tt.ok {
				t.Errorf("%q: %q, %q, %v", tt.s, path, rest, err)
			}
			if err != nil && !errors.Is(err, address.ErrSyntax) {
				t.Errorf("%q: error %v, want ErrSyntax", tt.s, err)
			}
		})
	}
}
