package sieve

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func modifiers() []*Modifier {
	return []*Modifier{
		{Name: "lower", precedence: 40, apply: strings.ToLower},
		{Name: "upper", precedence: 40, apply: strings.ToUpper},
		{Name: "lowerfirst", precedence: 30, apply: first(unicode.ToLower)},
		{Name: "upperfirst", precedence: 30, apply: first(unicode.ToUpper)},
		{Name: "quotewildcard", precedence: 20, cut: cutQuoted,
			apply: strings.NewReplacer(`*`, `\*`, `?`, `\?`, `\`, `\\`).Replace},
		{Name: "length", precedence: 10, apply: func(s string) string { return decimal(utf8.RuneCountInString(s)) }},
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
func (l *language) modify(call *Call) (list []*Modifier) {
	for _, m := range l.modifiers {
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
		value = m.apply(r.fit(value))
		if n := r.limits.VariableSize; m.cut != nil && len(value) > n {
			value = m.cut(value, n)
		}
	}
	return value
}

// cutQuoted cuts a text in which characters are quoted: not after the backslash.
func cutQuoted(s string, n int) string {
	s = cutText(s, n)
	if backslashes := len(s) - len(strings.TrimRight(s, `\`)); backslashes%2 == 1 {
		return s[:len(s)-1]
	}
	return s
}
