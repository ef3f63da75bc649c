package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// A Comparator says when texts are equal, and which comes first (RFC 4790).
type Comparator struct {
	Name string
	// canonical maps texts to octets, which are equal where the texts are.
	canonical func(string) string
	// order compares two texts in their canonical form; <0, 0, >0.
	order func(a, b string) int
	// substrings reports whether it supports :contains and :matches.
	substrings bool
	// offsets says that canonical keeps the offsets of characters.
	offsets bool
	// cost is what canonical takes of the budget for an octet, where that is more than to compare it.
	cost int
}

// octet is i;octet (RFC 4790 §9.3).
func octet() *Comparator {
	return &Comparator{
		Name: "i;octet", canonical: func(s string) string { return s }, order: strings.Compare,
		substrings: true, offsets: true,
	}
}

// asciiCasemap is i;ascii-casemap (RFC 4790 §9.2). It folds to lower case, which keeps equal what is; the order is that
// of upper case.
func asciiCasemap() *Comparator {
	return &Comparator{
		Name: "i;ascii-casemap", canonical: message.Lower, order: orderASCII, substrings: true, offsets: true,
	}
}

// orderASCII compares as if letters were capitals: they come before "_" and after "@".
func orderASCII(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := upper(a[i]), upper(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
