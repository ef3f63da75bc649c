package config

import (
	"fmt"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// parseDomain returns the key of a domain's name.
func parseDomain(s string) (key string, err error) {
	key, err = address.DomainKey(s)
	switch {
	case err != nil:
		return "", hint.New(hint.Quote(s)+" is not a domain: "+cause(err), "")
	case strings.HasPrefix(s, "["):
		return "", hint.New("must be a name, not an address literal", "")
	case strings.HasSuffix(s, "."):
		return "", hint.New(hint.Quote(s)+" ends in a dot", "write "+hint.Quote(strings.TrimSuffix(s, ".")))
	}
	return key, nil
}

// parseDomainName is parseDomain for what keeps the name as it is written.
func parseDomainName(s string) (string, error) {
	_, err := parseDomain(s)
	return s, err
}

// parseAddress returns an address that can be an account's.
func parseAddress(s string) (address.Address, error) {
	a, err := address.Parse(s)
	if err == nil {
		_, err = address.DomainKey(a.Domain)
	}
	if err == nil {
		// The domain's own policy can only unite more spellings: what has no key here has none there.
		_, err = address.LocalPolicy{}.Key(a.Local)
	}
	if err == nil {
		return a, nil
	}
	suggestion := ""
	if inner := strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">"); inner != s {
		suggestion = "write it without < and >"
	} else if !strings.Contains(s, "@") {
		suggestion = "write local@domain"
	}
	return address.Address{}, hint.New(fmt.Sprintf("%s is not an address: %s", hint.Quote(s), cause(err)), suggestion)
}

// cause is the text of an error of package address without what the problem says already.
func cause(err error) string {
	text := strings.TrimPrefix(err.Error(), address.ErrSyntax.Error()+": ")
	return strings.TrimPrefix(text, address.ErrNoKey.Error()+": ")
}

// parsePrincipal returns the name or number of a user or group. Whether this machine knows it is for CheckSystem.
func parsePrincipal(s string) (string, error) {
	if s == "" || len(s) > 256 || strings.ContainsAny(s, ":, \t\r\n\x00/") {
		return "", hint.New(hint.Quote(s)+" is not a name", "")
	}
	return s, nil
}

// parseAnything takes any text.
func parseAnything(s string) (string, error) { return s, nil }

// isDigits reports whether s is a number without sign, point or spaces.
func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
