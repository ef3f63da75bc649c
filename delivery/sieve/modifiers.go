package sieve

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quoting is the precedence of modifiers that put backslashes before characters.
const quoting = 20

func modifiers() []*Modifier {
	return []*Modifier{
		{"lower", 40, strings.ToLower},
		{"upper", 40, strings.ToUpper},
		{"lowerfirst", 30, first(unicode.ToLower)},
		{"upperfirst", 30, first(unicode.ToUpper)},
		{"quotewildcard", quoting, strings.NewReplacer(`*`, `\*`, `?`, `\?`, `\`, `\\`).Replace},
		{"length", 10, func(s string) string { return decimal(utf8.RuneCountInString(s)) }},
	}
}

func first(change func(rune) rune) func(string) string {
	return func(s string) string {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError {
			return s
		}
		return string(change(r)) + s[n:]
	}
}

// modify returns the modifiers of a command in the order in which they apply.
func (c *Compiler) modify(call *Call) (list []*Modifier) {
	for _, m := range c.modifiers {
		if call.Has(m.Name) {
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(a, b *Modifier) int { return b.precedence - a.precedence })
	return list
}

// modified applies modifiers to a value, which stays within the limit.
func (r *Run) modified(value string, modify []*Modifier) string {
	for _, m := range modify {
		if value = m.apply(r.fit(value)); m.precedence == quoting {
			value = r.fitQuoted(value)
		}
	}
	return value
}
