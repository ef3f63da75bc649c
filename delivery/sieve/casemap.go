package sieve

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// unicodeCasemap is i;unicode-casemap, which folds the case of all letters (RFC 5051).
func unicodeCasemap() *Comparator {
	return &Comparator{
		Name: "i;unicode-casemap", order: strings.Compare, substrings: true, cost: costUnicode,
		canonical: func(s string) string { return norm.NFKD.String(strings.Map(unicode.ToTitle, s)) },
	}
}

// builtIn is the capability of a comparator that is there without it.
func builtIn(name, standard string) *Extension {
	return &Extension{Name: "comparator-" + name, Standard: standard}
}
