package columns

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"":                   0,
		"alice":              5,
		"用户":                 4,
		"ﾕｰｻﾞ":               4, // halfwidth
		"ＡＢ":                 4, // fullwidth
		"josé":               4,
		"jose\u0301":         4, // a combining mark
		"한글":                 4,
		"\u1112\u1161\u11ab": 2, // one syllable of three letters
		"सं":                 1,
		"a\u200db":           2,
		"📬":                  2,
		"→ x":                3,
	} {
		if got := Width(text); got != want {
			t.Errorf("%+q takes %d columns, want %d", text, got, want)
		}
	}
}

// TestColumns: a column begins in the same place in all rows, and the last cell of a row widens none.
func TestColumns(t *testing.T) {
	var out strings.Builder
	w := New(&out)
	for _, name := range []string{"用户@例え.example", "jose\u0301@example.org", "alice@example.org", ""} {
		fmt.Fprintf(w, "  %s\t%d\t| end\n", name, len(name))
	}
	fmt.Fprint(w, "a row of one cell that is longer than all the others\n")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(out.String(), "\n")
	for _, row := range rows[:4] {
		before, _, found := strings.Cut(row, "|")
		if !found || Width(before) != 2+len("alice@example.org")+gap+2+gap {
			t.Errorf("the last column of %q begins at %d", row, Width(before))
		}
	}
	if err := w.Flush(); err != nil || strings.Count(out.String(), "alice") != 1 {
		t.Errorf("printed again: %v\n%s", err, &out)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestFull: what could not be printed is an error.
func TestFull(t *testing.T) {
	w := New(full{})
	fmt.Fprintln(w, "a\tb")
	if err := w.Flush(); err == nil {
		t.Error("no error")
	}
}
