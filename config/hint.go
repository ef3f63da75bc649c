package config

import (
	"strconv"
	"strings"
)

// maxQuoted bounds how much of a value a problem repeats, in characters.
const maxQuoted = 64

// quote renders a value of the file for a problem: one line, of bounded length, without
// controls.
func quote(s string) string {
	n := 0
	for i := range s {
		if n == maxQuoted {
			return strconv.Quote(s[:i]) + "…"
		}
		n++
	}
	return strconv.Quote(s)
}

// closest returns the candidate that was most likely meant by word, or "".
func closest(word string, candidates []string) string {
	if len(word) > maxKey {
		return ""
	}
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "_")) }
	best, bound := "", missing*(max(1, len(word)/3)+1)
	for _, candidate := range candidates {
		if d := distance(plain(word), plain(candidate)); d < bound {
			best, bound = candidate, d
		}
	}
	return best
}

// What a slip costs. A letter too few or too many is likelier than another letter.
const (
	missing = 4
	swapped = 4
	another = 5
)

// distance is the cost of the letters to insert, delete, replace, or swap with their
// neighbors to make b of a (optimal string alignment). A word cut short, or with something
// behind it, is near.
func distance(a, b string) int {
	if min(len(a), len(b)) >= 3 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) && a != b {
		return missing
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i * missing
	}
	for j := range len(b) + 1 {
		rows[0][j] = j * missing
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced += another
			}
			rows[i][j] = min(rows[i-1][j]+missing, rows[i][j-1]+missing, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+swapped)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// anyOf renders alternatives: "a", "b" or "c".
func anyOf(words []string) string {
	var b strings.Builder
	for i, word := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(word))
	}
	return b.String()
}
