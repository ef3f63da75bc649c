package mailbox

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestParseTally(t *testing.T) {
	full := "1000S\n" + strings.Repeat("         1 1\n", 10)
	for _, tt := range []struct {
		name, content string
		want          tally
	}{
		{"Dovecot", "1000S,5C\n90 2\n", tally{quota: Quota{1000, 5}, usage: Usage{90, 2}, usable: true, fresh: true}},
		{"Dovecot, bytes only", "1000S\n90 2\n", tally{quota: Quota{Bytes: 1000}, usage: Usage{90, 2}, usable: true, fresh: true}},
		{"Courier", "1000S,5C\n           0            0\n          18            1\n", tally{quota: Quota{1000, 5}, usage: Usage{18, 1}, usable: true}},
		{"the other order", "5C,1000S\n0 0\n", tally{quota: Quota{1000, 5}, usable: true, fresh: true}},
		{"removed", "0S\n90 2\n-40 -1\n", tally{usage: Usage{50, 1}, usable: true}},
		{"several", full, tally{quota: Quota{Bytes: 1000}, usage: Usage{10, 10}, usable: true}},
		{"negative sum", "0S\n90 2\n-140 -3\n", tally{usage: Usage{-50, -1}}},
		{"no sum", "1000S\n", tally{quota: Quota{Bytes: 1000}}},
		{"empty", "", tally{}},
		{"torn", "1000S\n90 2\n4", tally{}},
		{"torn in the middle", "1000S\n90 2\n4\n5 1\n", tally{}},
		{"empty line", "1000S\n\n90 2\n", tally{}},
		{"words", "1000S\nmany few\n", tally{}},
		{"zeros of a file system", strings.Repeat("\x00", 100), tally{}},
		{"NUL within", "1000S\n90 2\n\x00\x00\x00\n", tally{}},
		{"too large a number", "1000S\n99999999999999999999 1\n", tally{}},
		{"overflow", fmt.Sprintf("1000S\n%d 1\n%d 1\n", math.MaxInt64, math.MaxInt64), tally{quota: Quota{Bytes: 1000}, usage: Usage{math.MaxInt64, 2}, usable: true}},
		{"negative quota", "-5S\n0 0\n", tally{}},
		{"unknown quota", "5X\n0 0\n", tally{}},
		{"no quota", "\n0 0\n", tally{}},
		{"too long", "1000S\n" + strings.Repeat("         1 1\n", tallySize/12), tally{}},
	} {
		if got := parseTally([]byte(tt.content)); got != tt.want {
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
	for q, want := range map[Quota]string{{1000, 5}: "1000S,5C", {Bytes: 1000}: "1000S", {Messages: 5}: "5C"} {
		if got := q.String(); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
}

// Whatever is in the file, what is made of it can be written and read again, and a usable sum is
// never negative, and that of the lines, read in another way, unless it is too large.
func FuzzTally(f *testing.F) {
	for _, s := range []string{"1000S,5C\n90 2\n", "5C\n   0   0\n-1 -1\n", "\x00\n", "1S\n9223372036854775807 1\n1 1\n", "S\n1 1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := parseTally(b)
		if !got.usable {
			return
		}
		if got.usage.Bytes < 0 || got.usage.Messages < 0 || got.quota.Bytes < 0 || got.quota.Messages < 0 {
			t.Fatalf("%+v", got)
		}
		again := parseTally([]byte(got.quota.String() + "\n" + string(got.usage.line())))
		if again.quota != got.quota || again.usage != got.usage || !again.fresh {
			t.Errorf("%+v becomes %+v", got, again)
		}
		if want, ok := sumOf(string(b)); ok && want != got.usage {
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
