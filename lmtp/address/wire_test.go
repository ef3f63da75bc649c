package address

import (
	"errors"
	"testing"
)

func TestWireDomain(t *testing.T) {
	for domain, want := range map[string]string{
		"Mail.Example.ORG":        "Mail.Example.ORG",
		"bücher.example":          "xn--bcher-kva.example",
		"Mail.BÜCHER.example":     "mail.xn--bcher-kva.example",
		"XN--BCHER-KVA.example":   "XN--BCHER-KVA.example",
		"例え。example":              "",
		"[127.0.0.1]":             "[127.0.0.1]",
		"[IPv6:2001:DB8::1]":      "[IPv6:2001:DB8::1]",
		"mail_1.example":          "",
		"mail.example.":           "",
		"bücher.example.":         "",
		"":                        "",
		"mail example":            "",
		"x\r\nQUIT":               "",
		"b\xfccher.example":       "",
		"\U0001F600.example":      "",
		"bücher..example":         "",
		"[IPv6:2001:DB8::1]extra": "",
	} {
		got, err := WireDomain(domain)
		if got != want || (want == "") != errors.Is(err, ErrSyntax) {
			t.Errorf("WireDomain(%q) = %q, %v; want %q", domain, got, err, want)
		}
	}
}
