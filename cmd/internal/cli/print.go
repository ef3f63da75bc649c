package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// PrintJSON prints what a list found; programs read it.
func PrintJSON[T any](w io.Writer, list []T) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(append([]T{}, list...)) // [], not null
}

// Count returns n with a noun whose plural ends in s.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Items are lines of a list.
func Items(list []string) string {
	var b strings.Builder
	for _, item := range list {
		b.WriteString("  " + item + "\n")
	}
	return b.String()
}

// Plural returns n with the noun for one or for many.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
