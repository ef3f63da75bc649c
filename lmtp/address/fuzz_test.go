package address_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"golang.org/x/text/unicode/norm"
)

// seed adds the addresses of pairs.txt, or what part makes of them.
func seed(f *testing.F, part func(string) string) {
	f.Helper()
	for _, row := range readPairs(f) {
		for _, s := range row.addresses {
			f.Add(part(s))
		}
	}
}

// FuzzPath: whatever parses is written and parsed to the same again, is safe in logs and
// in headers, and is what ScanPath finds between brackets.
func FuzzPath(f *testing.F) {
	seed(f, func(s string) string { return s })
	for _, s := range []string{"@a.example,@b.example:u1@dst.example", "a..b@docomo.example", "a@_b-.i\u2764.example",
		"Postmaster", `">"@d.example`} {
		f.Add(s)
	}
	parsers := []func(string) (address.Address, error){
		address.Parser{}.ReversePath, address.Parser{UTF8: true}.ReversePath,
		address.Parser{}.ForwardPath, address.Parser{UTF8: true}.ForwardPath,
		address.Parser{Lenient8Bit: true}.ReversePath,
		address.Parser{UTF8: true, TrailingDot: true}.ForwardPath,
		address.Parse,
	}
	f.Fuzz(func(t *testing.T, s string) {
		for i, parse := range parsers {
			a, err := parse(s)
			checkShown(t, a.Log())
			if err != nil {
				if a != (address.Address{}) {
					t.Errorf("parser %d: %+q with error %v", i, a, err)
				}
				if !errors.Is(err, address.ErrSyntax) && !errors.Is(err, address.ErrNeedsUTF8) {
					t.Errorf("parser %d: error %v has no class", i, err)
				}
				checkPrintable(t, err.Error())
				continue
			}
			if !strings.HasSuffix(s, a.Raw) {
				t.Errorf("parser %d: raw %+q is not the end of %+q", i, a.Raw, s)
			}
			b, err := parse(a.String())
			if err != nil || b.Local != a.Local || b.Domain != a.Domain {
				t.Errorf("parser %d: %+q is written %+q and parsed %+q, %v", i, s, a.String(), b, err)
			}
			path, rest, err := address.ScanPath("<" + s + "> SIZE=1")
			if err != nil || path != s || rest != " SIZE=1" {
				t.Errorf("parser %d: ScanPath of %+q: %+q, %+q, %v", i, s, path, rest, err)
			}
			if strings.ContainsFunc(a.Domain, endsLine) {
				t.Errorf("parser %d: domain %+q", i, a.Domain)
			}
			for _, utf8ok := range []bool{false, true} {
				h, ok := a.Header(utf8ok)
				if ok && (!utf8.ValidString(h) || strings.ContainsFunc(h, endsLine)) {
					t.Errorf("parser %d: header form %+q", i, h)
				}
				if ok && !utf8ok {
					checkPrintable(t, h)
				}
			}
		}
	})
}

// FuzzLocalKey: a key is its own key, equal keys have one file name and different keys
// different ones, and no key or name is more than it should be.
func FuzzLocalKey(f *testing.F) {
	for _, s := range []string{"u1", "JOS\u00c9", "jose\u0301", "../x", "\u212aate", "\u03a3", "\u0130", "a\u037e",
		"\uff20\u00e9", "%", "\u0958"} {
		f.Add(s, "u1")
		f.Add("jos\u00e9", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, p := range policies {
			ka, errA := p.Key(a)
			kb, errB := p.Key(b)
			if errA != nil || errB != nil {
				continue
			}
			if again, err := p.Key(ka); err != nil || again != ka {
				t.Errorf("%+v: key %+q of %+q has key %+q, %v", p, ka, a, again, err)
			}
			if len(ka) > 64 || !utf8.ValidString(ka) || !norm.NFC.IsNormalString(ka) {
				t.Errorf("%+v: key %+q of %+q", p, ka, a)
			}
			if ascii(ka) && !ascii(a) {
				t.Errorf("%+v: non-ASCII %+q has ASCII key %q", p, a, ka)
			}
			if (ka == kb) != (address.DiskName(ka) == address.DiskName(kb)) {
				t.Errorf("%+v: keys %+q and %+q, names %+q and %+q", p, ka, kb, address.DiskName(ka), address.DiskName(kb))
			}
		}
	})
}

// FuzzDiskName: any text at all gives a harmless name, and different texts in NFC
// different names.
func FuzzDiskName(f *testing.F) {
	for _, s := range []string{"", ".", "..", "../../etc/x", "a\x00", "/\u0301", "%2F", "jos\xe9",
		strings.Repeat("/", 100)} {
		f.Add(s, "u1")
		f.Add(strings.Repeat("a", 300), s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		na, nb := address.DiskName(a), address.DiskName(b)
		checkDiskName(t, na)
		if same := norm.NFC.String(a) == norm.NFC.String(b); same != (na == nb) {
			t.Errorf("%+q and %+q have the names %+q and %+q", a, b, na, nb)
		}
	})
}

// FuzzDomainKey: a key is its own key, a parsed domain's forms all have its key, and a
// domain with a key is one that parses.
func FuzzDomainKey(f *testing.F) {
	seed(f, func(s string) string { return s[strings.LastIndex(s, "@")+1:] })
	f.Fuzz(func(t *testing.T, domain string) {
		k, err := address.DomainKey(domain)
		if err != nil {
			return
		}
		if !ascii(k) || k != strings.ToLower(k) || len(k) > 255 {
			t.Errorf("%+q has key %+q", domain, k)
		}
		a, err := address.Parser{UTF8: true, TrailingDot: true}.ForwardPath("x@" + domain)
		if err != nil {
			t.Fatalf("%+q has key %q and is no domain: %v", domain, k, err)
		}
		checkDomain(t, a)
	})
}

// FuzzXtext: what is encoded decodes to itself, and what decodes is encoded as it was,
// save the octets that needed no escape.
func FuzzXtext(f *testing.F) {
	for _, s := range []string{"", "a+2Bb", "a+b", "u1+2Btag@dst.example", "+0A", `jos\x{E9}`, `\x{D800}`, "jos\u00e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := address.DecodeXtext(encodeXtext(s)); err == nil && got != s {
			t.Errorf("%q through xtext: %q", s, got)
		} else if err != nil && !strings.ContainsFunc(s, isControl) {
			t.Errorf("%q through xtext: %v", s, err)
		}
		if d, err := address.DecodeXtext(s); err == nil {
			if strings.ContainsFunc(d, isControl) {
				t.Errorf("%q decodes to a control", s)
			}
			if again, err := address.DecodeXtext(encodeXtext(d)); err != nil || again != d {
				t.Errorf("%q through xtext: %q, %v", d, again, err)
			}
		}
	})
}

// encodeXtext encodes s as xtext (RFC 3461 §4), each octet that is not a letter or digit.
func encodeXtext(s string) string {
	return regexp.MustCompile(`(?s)[^A-Za-z0-9]`).ReplaceAllStringFunc(s, func(c string) (encoded string) {
		for i := range len(c) {
			encoded += fmt.Sprintf("+%02X", c[i])
		}
		return encoded
	})
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// endsLine reports whether some reader could take r for the end of a line, or not show it.
func endsLine(r rune) bool {
	return r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029
}
