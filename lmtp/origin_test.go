package lmtp

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

var everyAttribute = append(append([]attribute{}, xclientAttributes...), attrIdent, attrSource)

func TestAttributes(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	v4 := netip.MustParseAddr("192.0.2.1")
	for name, tt := range map[string]struct {
		args string
		want *Origin // nil: refused
	}{
		"XC-01 all of Postfix's": {"NAME=c.example ADDR=192.0.2.1 PORT=25 PROTO=ESMTP HELO=h IDENT=4A SOURCE=REMOTE",
			&Origin{Name: "c.example", Addr: v4, Port: "25", Protocol: "ESMTP", Hello: "h", Ident: "4A", Source: "REMOTE"}},
		"XC-01 Dovecot's": {"SESSION=a/1 TTL=5 TIMEOUT=1000 DESTNAME=mx DESTADDR=::1 DESTPORT=24 " +
			"LOGIN=joe@src.example", &Origin{Session: "a/1", Login: "joe@src.example"}},
		"XC-01 unavailable":           {"NAME=[UNAVAILABLE] ADDR=[tempunavail] HELO=[Unavailable]", &Origin{}},
		"XC-01 IPV6:":                 {"ADDR=ipv6:2001:DB8::1", &Origin{Addr: v6}},
		"XC-01 IPv6 as it is":         {"ADDR=2001:db8::1", &Origin{Addr: v6}},
		"XC-01 IPv4 in IPv6":          {"ADDR=IPV6:::ffff:192.0.2.1", &Origin{Addr: v4}},
		"XC-01 zone":                  {"ADDR=IPV6:2001:db8::1%eth0", &Origin{Addr: v6}},
		"XC-01 xtext":                 {"HELO=a+2Bb", &Origin{Hello: "a+b"}},
		"XC-03 raw of old Postfix":    {"HELO=a+b", &Origin{Hello: "a+b"}},
		"XC-03 raw with an equals":    {"LOGIN=a=+b", &Origin{Login: "a=+b"}},
		"XC-03 line end":              {"NAME=a+0D+0Ab", nil},
		"XC-03 NUL":                   {"NAME=a+00", nil},
		"XC-03 space":                 {"NAME=a+20b", nil},
		"XC-03 not ASCII":             {"NAME=b+C3+BC", nil},
		"XC-03 raw, not ASCII":        {"NAME=b\xc3\xbc+", nil},
		"XC-03 comment":               {"NAME=a)b", nil},
		"XC-03 comment in xtext":      {"NAME=a+28b", nil},
		"XC-03 quote":                 {"HELO=a+22b", nil},
		"XC-03 backslash":             {"HELO=a\\b", nil},
		"XC-03 bracket":               {"HELO=<a>", nil},
		"XC-03 255 octets":            {"HELO=" + strings.Repeat("x", 255), &Origin{Hello: strings.Repeat("x", 255)}},
		"XC-03 256 octets":            {"HELO=" + strings.Repeat("x", 256), nil},
		"XC-01 empty":                 {"NAME=", nil},
		"XC-01 without value":         {"NAME", nil},
		"XC-01 unknown":               {"NAMES=x", nil},
		"XC-01 good, then bad":        {"NAME=a PORT=x", nil},
		"XC-01 port too large":        {"PORT=65536", nil},
		"XC-01 port with sign":        {"PORT=+25", nil},
		"XC-01 address with port":     {"ADDR=192.0.2.1:25", nil},
		"XC-01 TTL":                   {"TTL=-1", nil},
		"XC-01 Unicode case of names": {"\u017fOURCE=x", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got Origin
			refused := readAttributes(&got, everyAttribute, tt.args)
			if (refused.Code == 0) != (tt.want != nil) {
				t.Fatalf("reply %+v", refused.Code)
			}
			if tt.want == nil {
				if refused.Code != 501 || refused.Enhanced != "5.5.4" {
					t.Errorf("refused with %d %s", refused.Code, refused.Enhanced)
				}
				return
			}
			if diff := cmp.Diff(*tt.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestWhatFits: one odd attribute of XFORWARD costs no other.
func TestWhatFits(t *testing.T) {
	for args, want := range map[string]Origin{
		"HELO=b\u00fccher IDENT=4A":                      {Hello: "b?cher", Ident: "4A"},
		"HELO=b+C3+BCcher IDENT=4A":                      {Hello: "b?cher", Ident: "4A"},
		"HELO=a,b IDENT=4A":                              {Hello: "a?b", Ident: "4A"},
		"HELO=a+0D+0Ab IDENT=4A":                         {Hello: "a+0D+0Ab", Ident: "4A"},
		"IDENT=4A HELO=" + strings.Repeat("x", 300):      {Hello: strings.Repeat("x", 255), Ident: "4A"},
		"ADDR=nowhere PORT=99999 HELO= FOO=x x IDENT=4A": {Ident: "4A"},
		"HELO=[UNAVAILABLE] IDENT=4A":                    {Ident: "4A"},
	} {
		var got Origin
		readWhatFits(&got, xforwardAttributes, args)
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", args, diff)
		}
	}
}

// FuzzAttributes: whatever is said, nothing that is kept can end a header field, open a
// comment or color a terminal.
func FuzzAttributes(f *testing.F) {
	f.Add("NAME=a+0D+0Ab ADDR=IPV6:::1 PORT=25")
	f.Add("LOGIN=a+b HELO=[UNAVAILABLE] SESSION=+2B")
	f.Fuzz(func(t *testing.T, args string) {
		var o Origin
		if refused := readAttributes(&o, everyAttribute, args); refused.Code != 0 {
			o = Origin{}
			readWhatFits(&o, everyAttribute, args)
		}
		for _, v := range []string{o.Name, o.Port, o.Protocol, o.Hello, o.Login, o.Ident, o.Source, o.Session,
			o.Addr.String()} {
			if o.Addr.Zone() != "" || len(v) > maxAttribute || !wire.Plain(v) || strings.ContainsAny(v, " ()<>,;\"\\") &&
				v != "invalid IP" {
				t.Fatalf("%q is kept of %q", v, args)
			}
		}
	})
}

// FuzzDateTime: what is taken is a date-time, and is the same when it is written again.
func FuzzDateTime(f *testing.F) {
	for _, s := range []string{"2014-04-03T23:01:00Z", "2016-12-31T23:59:60+02:00", "2014-04-03t23:01:00z",
		"2014-04-03T23:01:00.5Z", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := parseDateTime(s)
		if !ok {
			return
		}
		if len(s) < len("2006-01-02T15:04:05Z") || strings.ContainsAny(s, ".,; ") {
			t.Fatalf("%q was taken", s)
		}
		again, ok := parseDateTime(at.UTC().Format("2006-01-02T15:04:05Z07:00"))
		if at.UTC().Year() < 10000 && at.UTC().Year() > 0 && (!ok || !again.Equal(at)) {
			t.Fatalf("%q is %v, and then %v", s, at, again)
		}
	})
}
