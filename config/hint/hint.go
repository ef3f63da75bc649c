// Package hint words what is said about a mistake: the value it is about, the alternatives, and what was probably
// meant.
package hint

import (
	"strconv"
	"strings"
)

// maxQuoted bounds how much of a value is repeated, in characters.
const maxQuoted = 64

// Quote renders a value of a file on one line, of bounded length and without control characters.
func Quote(s string) string {
	n := 0
	for i := range s {
		if n == maxQuoted {
			return strconv.Quote(s[:i]) + "…"
		}
		n++
	}
	return strconv.Quote(s)
}

// AnyOf renders alternatives: "a", "b" or "c".
func AnyOf(words []string) string {
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

// DidYouMean asks whether the candidate closest to word was meant. It is "" if none is close.
func DidYouMean(word string, candidates []string) string {
	if meant := Closest(word, candidates); meant != "" {
		return "did you mean " + strconv.Quote(meant) + "?"
	}
	return ""
}

// maxWord bounds the words that are compared, in octets: the cost grows with the square of their length.
const maxWord = 64

// Closest returns the candidate that was most likely meant by word, or "" if none is close.
func Closest(word string, candidates []string) string {
	if len(word) > maxWord {
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

// The costs of a slip. A letter too few or too many is likelier than another letter.
const (
	missing = 4
	swapped = 4
	another = 5
)

// distance is the cost of the letters to insert, delete, replace, or swap with their neighbors to turn a into b
// (optimal string alignment). A word cut short, or with a suffix, is near.
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
