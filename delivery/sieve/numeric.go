package sieve

import "strings"

// i;ascii-numeric compares the numbers that texts begin with (RFC 4790 §9.1).
func asciiNumeric() *Extension {
	return &Extension{
		Name: "comparator-i;ascii-numeric", Standard: "RFC 4790 §9.1",
		Comparators: []*Comparator{{Name: "i;ascii-numeric", canonical: leadingNumber, order: orderNumbers}},
	}
}

// leadingNumber returns the digits that a text begins with, without leading zeros. A text without a number is infinity,
// which is the empty text here, and equal to itself.
func leadingNumber(s string) string {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	if n == 0 {
		return ""
	}
	if digits := strings.TrimLeft(s[:n], "0"); digits != "" {
		return digits
	}
	return "0"
}

func orderNumbers(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	case len(a) != len(b):
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
