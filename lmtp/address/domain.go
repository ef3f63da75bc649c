package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

const (
	maxDomain = 255                    // octets, A-labels (RFC 5321 §4.5.3.1.2)
	maxLabel  = 63                     // octets of an A-label (RFC 1035 §2.3.4)
	maxULabel = maxLabel - len("xn--") // code points: each takes at least one octet of the A-label
)

// identifier holds the code points of the PRECIS IdentifierClass (RFC 8264 §9), which are
// those of IDNA2008 but for case and compatibility forms; idna.Registration excludes these.
// Both together are RFC 5892, where idna alone lets symbols and emoji pass.
var identifier = precis.NewIdentifier()

// DomainKey returns the key by which domains are compared: A-labels in lower case, one
// trailing dot dropped. U-labels are mapped to NFC and lower case first. A label that
// begins with xn-- is compared as the ASCII it is: a valid A-label is its own key, and one
// that is not valid can equal no U-label's key. Address literals have a canonical
// spelling. An ASCII domain in lower case is its own key and costs no allocation.
//
// The error wraps ErrSyntax: no domain with labels over 63 octets or over 255 octets in
// all, and none outside the grammar, has a key; it belongs to no account.
func DomainKey(domain string) (string, error) {
	if isLiteral(domain) {
		key, ok := literalKey(domain[1 : len(domain)-1])
		if !ok || len(domain) > maxDomain {
			return "", fmt.Errorf("%w: bad address literal", ErrSyntax)
		}
		return "[" + key + "]", nil
	}
	domain = strings.TrimSuffix(domain, ".")
	if !isASCII(domain) {
		switch {
		case !utf8.ValidString(domain):
			return "", fmt.Errorf("%w: domain is not valid UTF-8", ErrSyntax)
		case leastOctets(domain) > maxDomain:
			return "", errTooLong
		}
		if !bidiDomain(domain) {
			return "", fmt.Errorf("%w: domain violates the Bidi rule", ErrSyntax)
		}
		var err error
		if domain, err = mapLabels(domain, toALabel); err != nil {
			return "", err
		}
	}
	if len(domain) > maxDomain {
		return "", errTooLong
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !isLDH(label) || len(label) > maxLabel {
			return "", fmt.Errorf("%w: bad domain label", ErrSyntax)
		}
	}
	return lowerASCII(domain), nil
}

var errTooLong = fmt.Errorf("%w: domain over %d octets", ErrSyntax, maxDomain)

// maxDecomposed is the most code points that become one by NFC.
const maxDecomposed = 4

// leastOctets is a lower bound of the octets of a domain in A-labels, in which each code point takes at least one; for
// what is far too long, it stops at a number that is too long. It is asked before labels are mapped: mapping one costs
// microseconds, and a command line has room for a thousand.
func leastOctets(domain string) int {
	if isASCII(domain) {
		return len(domain)
	}
	n := utf8.RuneCountInString(domain)
	if n > maxDecomposed*maxDomain {
		return n
	}
	n = utf8.RuneCountInString(norm.NFC.String(domain))
	for label := range strings.SplitSeq(domain, ".") {
		if !isASCII(label) {
			n += len("xn--")
		}
	}
	return n
}

// mapLabels applies f to each label of domain.
func mapLabels(domain string, f func(string) (string, error)) (string, error) {
	labels := strings.Split(domain, ".")
	for i, label := range labels {
		mapped, err := f(label)
		if err != nil {
			return "", fmt.Errorf("%w: label %d: %w", ErrSyntax, i+1, err)
		}
		labels[i] = mapped
	}
	return strings.Join(labels, "."), nil
}

// toALabel returns the A-label of a U-label; an ASCII label is returned as it is.
func toALabel(label string) (string, error) {
	if isASCII(label) {
		return label, nil
	}
	return aLabel(label)
}

// toULabel returns the U-label of a label in either form, mapped to NFC and lower case; a
// label that is neither is returned as it is.
func toULabel(label string) (string, error) {
	ace, err := toALabel(label)
	if err != nil {
		return "", err
	}
	ace = lowerASCII(ace)
	if !strings.HasPrefix(ace, "xn--") || len(ace) > maxLabel {
		return label, nil
	}
	u, err := idna.Registration.ToUnicode(ace)
	if err != nil {
		return label, nil
	}
	if back, err := aLabel(u); err != nil || back != ace {
		return label, nil
	}
	return u, nil
}

// shownLabel is toULabel for trace fields: a sender's label that is no U-label stays as it is.
func shownLabel(label string) (string, error) {
	u, err := toULabel(label)
	if err != nil && isSafeLabel(label) {
		return label, nil
	}
	return u, err
}

// isSafeLabel reports whether a label in UTF-8 that is no U-label can be written and read
// without harm: no controls, bidi controls, invisible characters, spaces or line separators,
// and none of the full stops at which other software splits a domain (UTS #46 §4).
func isSafeLabel(label string) bool {
	return utf8.ValidString(label) && !strings.ContainsFunc(label, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z) || strings.ContainsRune(fullStops, r)
	})
}

// fullStops are ideographic, full-width and half-width.
const fullStops = "\u3002\uff0e\uff61"

// aLabel maps a label that is not ASCII to NFC and lower case and returns its A-label (RFC
// 5891 §4), provided that the result is a valid U-label: code points of RFC 5892 with
// their context rules, no leading combining mark, no hyphen in the wrong place, and the
// Bidi rule (RFC 5893).
//
// Neither ideographic full stops nor compatibility forms are mapped: separators are found
// before anything is mapped, so that mapping must not make one. A label that maps to plain
// ASCII (the Kelvin sign) is refused, as it is in local parts.
func aLabel(label string) (string, error) {
	u := norm.NFC.String(toLower(norm.NFC.String(label)))
	if isASCII(u) {
		return "", errors.New("label maps to ASCII")
	}
	chars := []rune(u)
	if len(chars) > maxULabel {
		return "", errors.New("label too long") // before punycode, which takes quadratic time
	}
	if ok, err := identifier.String(u); err != nil || ok != u {
		return "", errors.New("code point not allowed in a U-label")
	}
	// idna counts octets where RFC 5891 §4.2.3.1 counts characters.
	if len(chars) > 3 && chars[2] == '-' && chars[3] == '-' {
		return "", errors.New("-- in third and fourth place")
	}
	ace, err := idna.Registration.ToASCII(u)
	if err != nil {
		return "", errors.New("not a valid U-label") // idna's text quotes the label
	}
	return ace, nil
}

// bidiDomain reports whether every label of a domain fulfills the Bidi rule, which is asked
// only of a domain with a right-to-left label (RFC 5893 §2).
func bidiDomain(domain string) bool {
	if bidirule.DirectionString(domain) == bidi.LeftToRight {
		return true
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(domain, "."), ".") {
		if !bidirule.ValidString(label) {
			return false
		}
	}
	return true
}

// isLDH reports whether label is Let-dig [Ldh-str] (RFC 5321 §4.1.2).
func isLDH(label string) bool {
	if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		if !isLetDig(label[i]) && label[i] != '-' {
			return false
		}
	}
	return true
}
