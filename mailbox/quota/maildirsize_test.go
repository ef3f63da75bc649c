package quota

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	full := "1000S\n" + strings.Repeat("         1 1\n", 10)
	for _, tt := range []struct {
		name, content string
		want          Tally
	}{
		{"Dovecot", "1000S,5C\n90 2\n", Tally{Limit: Limit{1000, 5}, Usage: Usage{90, 2}, Usable: true, Fresh: true}},
		{"Dovecot, bytes only", "1000S\n90 2\n", Tally{Limit: Limit{Bytes: 1000}, Usage: Usage{90, 2},
			Usable: true, Fresh: true}},
		{"Courier", "1000S,5C\n           0            0\n          18            1\n",
			Tally{Limit: Limit{1000, 5}, Usage: Usage{18, 1}, Usable: true}},
		{"the other order", "5C,1000S\n0 0\n", Tally{Limit: Limit{1000, 5}, Usable: true, Fresh: true}},
		{"removed", "0S\n90 2\n-40 -1\n", Tally{Usage: Usage{50, 1}, Usable: true}},
		{"several", full, Tally{Limit: Limit{Bytes: 1000}, Usage: Usage{10, 10}, Usable: true}},
		{"negative sum", "0S\n90 2\n-140 -3\n", Tally{Usage: Usage{-50, -1}}},
		{"no sum", "1000S\n", Tally{Limit: Limit{Bytes: 1000}}},
		{"empty", "", Tally{}},
		{"torn", "1000S\n90 2\n4", Tally{}},
		{"torn in the middle", "1000S\n90 2\n4\n5 1\n", Tally{}},
		{"empty line", "1000S\n\n90 2\n", Tally{}},
		{"words", "1000S\nmany few\n", Tally{}},
		{"zeros of a file system", strings.Repeat("\x00", 100), Tally{}},
		{"NUL within", "1000S\n90 2\n\x00\x00\x00\n", Tally{}},
		{"too large a number", "1000S\n99999999999999999999 1\n", Tally{}},
		{"overflow", fmt.Sprintf("1000S\n%d 1\n%d 1\n", math.MaxInt64, math.MaxInt64),
			Tally{Limit: Limit{Bytes: 1000}, Usage: Usage{math.MaxInt64, 2}, Usable: true}},
		{"negative quota", "-5S\n0 0\n", Tally{}},
		{"unknown quota", "5X\n0 0\n", Tally{}},
		{"no quota", "\n0 0\n", Tally{}},
		{"too long", "1000S\n" + strings.Repeat("         1 1\n", tallySize/12), Tally{}},
	} {
		if got := Parse([]byte(tt.content)); got != tt.want {
			t.Errorf("MDIR-13 %s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestTallyLines(t *testing.T) {
	for u, want := range map[Usage]string{
		{}:                  "          0 0\n",
		{1234, 1}:           "       1234 1\n",
		{-1234, -1}:         "     -1234 -1\n",
		{123456789012, 345}: "123456789012 345\n",
	} {
		if got := string(u.line()); got != want {
			t.Errorf("MDIR-13 %+v: %q, want %q", u, got, want)
		}
	}
	for q, want := range map[Limit]string{{1000, 5}: "1000S,5C", {Bytes: 1000}: "1000S", {Messages: 5}: "5C"} {
		if got := q.String(); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
}

// Whatever is in the file, what is made of it can be written and read again, and a usable sum is
// never negative, and that of the lines, read in another way, unless it is too large.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"1000S,5C\n90 2\n", "5C\n   0   0\n-1 -1\n", "\x00\n",
		"1S\n9223372036854775807 1\n1 1\n", "S\n1 1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := Parse(b)
		if !got.Usable {
			return
		}
		if got.Usage.Bytes < 0 || got.Usage.Messages < 0 || got.Limit.Bytes < 0 || got.Limit.Messages < 0 {
			t.Fatalf("%+v", got)
		}
		again := Parse([]byte(got.Limit.String() + "\n" + string(got.Usage.line())))
		if again.Limit != got.Limit || again.Usage != got.Usage || !again.Fresh {
			t.Errorf("%+v becomes %+v", got, again)
		}
		if want, ok := sumOf(string(b)); ok && want != got.Usage {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// sumOf adds the lines of a maildirsize up; not ok where that overflows.
func sumOf(content string) (sum Usage, ok bool) {
	var octets, messages float64
	_, lines, _ := strings.Cut(content, "\n")
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return Usage{}, true // which is wrong for whatever was usable
		}
		var u Usage
		u.Bytes, _ = strconv.ParseInt(fields[0], 10, 64) // so is a 0 for what is no number
		u.Messages, _ = strconv.ParseInt(fields[1], 10, 64)
		sum.Bytes, sum.Messages = sum.Bytes+u.Bytes, sum.Messages+u.Messages
		octets, messages = octets+math.Abs(float64(u.Bytes)), messages+math.Abs(float64(u.Messages))
	}
	return sum, octets < math.MaxInt64/2 && messages < math.MaxInt64/2
}
