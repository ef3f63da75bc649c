package address

import (
	"fmt"
	"strings"
)

// WireDomain returns a domain or an address literal as it stands in greetings, hellos and trace fields, where
// U-labels do not belong (RFC 6531 §3.7.1): with A-labels for them. An ASCII name keeps its letter case.
//
// The error wraps ErrSyntax. A trailing dot is one: it is outside of the grammar (RFC 5321 §4.1.2).
func WireDomain(domain string) (string, error) {
	key, err := DomainKey(domain)
	switch {
	case err != nil:
		return "", err
	case strings.HasSuffix(domain, "."):
		return "", fmt.Errorf("%w: domain ends in a dot", ErrSyntax)
	case isASCII(domain):
		return domain, nil
	}
	return key, nil
}
