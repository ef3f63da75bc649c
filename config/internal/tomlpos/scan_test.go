package tomlpos

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// at returns the text that a path leads to: what stands where the scanner saw a value.
func at(t *testing.T, root *node, text string, path ...any) string {
	t.Helper()
	n := root
	for _, step := range path {
		switch step := step.(type) {
		case string:
			n = n.table[step]
		case int:
			if step >= len(n.elements) {
				t.Fatalf("%v: %d elements", path, len(n.elements))
			}
			n = n.elements[step]
		}
		if n == nil {
			t.Fatalf("%v was not found", path)
		}
	}
	value, _, _ := strings.Cut(text[n.value:], "\n")
	return value
}

func TestScanFindsValues(t *testing.T) {
	const text = `a = "first" # = no
"b c"."d\u0065".'f.g' = 1
list = [ # [
  "x, ]", 'y',
  [ 1, 2 ], """
"] """, ]
inline = { p = [{ q = true }], r.s = 'x', # }
  t = 1979-05-27 07:32:00 }
[[array]]
k = 1
[[array.below]]
k = 2
[[array.below]]
k = 3
[[array]]
k = 4
[array.below]
k = 5
[ late . "x" ]
k = """a\""""""
l = '''b''''
m = 6
`
	root, end, err := scan(text)
	if err != nil || end != len(text) {
		t.Fatalf("scan ended at %d (%q), %v", end, text[end:], err)
	}
	for _, tc := range []struct {
		want string
		path []any
	}{
		{`"first" # = no`, []any{"a"}},
		{`1`, []any{"b c", "de", "f.g"}},
		{`[ # [`, []any{"list"}},
		{`"x, ]", 'y',`, []any{"list", 0}},
		{`'y',`, []any{"list", 1}},
		{`2 ], """`, []any{"list", 2, 1}},
		{`"""`, []any{"list", 3}},
		{`true }], r.s = 'x', # }`, []any{"inline", "p", 0, "q"}},
		{`'x', # }`, []any{"inline", "r", "s"}},
		{`1979-05-27 07:32:00 }`, []any{"inline", "t"}},
		{`1`, []any{"array", 0, "k"}},
		{`2`, []any{"array", 0, "below", 0, "k"}},
		{`3`, []any{"array", 0, "below", 1, "k"}},
		{`4`, []any{"array", 1, "k"}},
		{`5`, []any{"array", 1, "below", "k"}},
		{`6`, []any{"late", "x", "m"}},
	} {
		if got := at(t, root, text, tc.path...); got != tc.want {
			t.Errorf("%v is %q, want %q", tc.path, got, tc.want)
		}
	}
}

func TestPositionCountsCharacters(t *testing.T) {
	d, _, _ := Parse("f", "\ufeffa = 1\nü = \"ä\"\r\n")
	for offset, want := range map[int][2]int{0: {1, 1}, 5: {1, 6}, 6: {2, 1}, 7: {2, 1}, 8: {2, 2}, 99: {3, 1}} {
		if line, column := d.position(offset); line != want[0] || column != want[1] {
			t.Errorf("offset %d is at %d:%d, want %d:%d", offset, line, column, want[0], want[1])
		}
	}
	d, _, err := Parse("f", "ä\xa4")
	if line, column := d.position(2); err == nil || line != 1 || column != 2 {
		t.Errorf("an octet that is no character is at %d:%d (%v), want 1:2", line, column, err)
	}
}

// seed adds the configurations of the tests to a fuzz target.
func seed(f *testing.F) {
	for _, pattern := range []string{"good/*.toml", "bad/*.toml", "*/*/conf.d/*.toml"} {
		paths, err := filepath.Glob(filepath.Join("../../../testdata/config", pattern))
		if err != nil || len(paths) == 0 {
			f.Fatalf("no files for %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
}

// The scanner reads all that the decoder reads, and finds every value in it.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		root, end, broken := scan(text)
		if end < 0 || end > len(text) {
			t.Fatalf("ended at %d of %d", end, len(text))
		}
		checkOffsets(t, root, len(text))
		isMark := func(mark string) bool { return strings.HasPrefix(text, mark) }
		if broken != nil || slices.ContainsFunc([]string{"\ufeff", "\xff\xfe", "\xfe\xff"}, isMark) {
			return
		}
		values, err := decode(text)
		if err != nil {
			return
		}
		if end < len(text) {
			t.Fatalf("the decoder reads on after %q: %q", text[:end], text[end:])
		}
		checkFound(t, "", root, values)
	})
}

func checkOffsets(t *testing.T, n *node, length int) {
	if n.key < 0 || n.key > length || n.value < 0 || n.value > length {
		t.Fatalf("offsets %d and %d of %d", n.key, n.value, length)
	}
	for _, below := range n.table {
		checkOffsets(t, below, length)
	}
	for _, below := range n.elements {
		checkOffsets(t, below, length)
	}
}

func checkFound(t *testing.T, path string, n *node, data any) {
	if n == nil {
		t.Fatalf("%s was not found", path)
	}
	switch data := data.(type) {
	case map[string]any:
		for key, value := range data {
			checkFound(t, path+"."+key, n.table[key], value)
		}
	case []map[string]any:
		if len(data) != len(n.elements) {
			t.Fatalf("%s has %d elements, found %d", path, len(data), len(n.elements))
		}
		for i, table := range data {
			checkFound(t, path+"[]", n.elements[i], table)
		}
	case []any:
		if len(data) != len(n.elements) {
			t.Fatalf("%s has %d elements, found %d", path, len(data), len(n.elements))
		}
		for i, value := range data {
			checkFound(t, path+"[]", n.elements[i], value)
		}
	}
}
