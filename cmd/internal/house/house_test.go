package house

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// module writes a module with these files and returns its directory.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["go.mod"] = "module example.org/m\n\ngo 1.26\n"
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// measure measures all packages of a module, by their paths.
func measure(t *testing.T, root string) map[string]Package {
	t.Helper()
	list, err := Measure(root, "./...")
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]Package{}
	for _, p := range list {
		packages[p.Path] = p
	}
	return packages
}

// TestKnot: files are in a knot when the way from one leads back to it, through a method, a field or a third file; a
// file that only uses others, or is only used, is not. Imports of other packages make no knot.
func TestKnot(t *testing.T) {
	root := module(t, map[string]string{
		"p/type.go": "package p\n\nimport \"fmt\"\n\ntype T struct{ field int }\n\n" +
			"func New() *T { fmt.Println(); return &T{} }\n\nfunc (t *T) Run() { t.step() }\n",
		"p/method.go": "package p\n\nfunc (t *T) step() { field(t) }\n",
		"p/field.go":  "package p\n\nfunc field(t *T) int { return t.field + leaf }\n",
		"p/leaf.go":   "package p\n\nconst leaf = 1\n",
		"p/user.go":   "package p\n\nfunc Use() { New().Run() }\n",
		"p/x_test.go": "package p\n\nfunc inTest() { Use() }\n",
		"q/a.go":      "package q\n\nimport \"example.org/m/p\"\n\nfunc A() { p.Use(); b() }\n",
		"q/b.go":      "package q\n\nimport \"example.org/m/p\"\n\nfunc b() { p.New() }\n",
	})
	packages := measure(t, root)
	if diff := cmp.Diff([]string{"field.go", "method.go", "type.go"}, packages["p"].Knot); diff != "" {
		t.Errorf("knot of p (-want +got)\n%s", diff)
	}
	if p := packages["p"]; p.Files != 5 || p.Lines != 9+3+3+3+3 {
		t.Errorf("%d files with %d lines, want 5 with 21", p.Files, p.Lines)
	}
	if got := packages["q"].Knot; len(got) != 1 {
		t.Errorf("knot of q: %v, want one file", got)
	}
}

// chain returns a package of one knot and some files beside it.
func chain(t *testing.T, knot, beside int) Package {
	t.Helper()
	files := map[string]string{}
	for i := range knot {
		files[fmt.Sprintf("f%02d.go", i)] = fmt.Sprintf("package m\n\nfunc F%d() { F%d() }\n", i, (i+1)%knot)
	}
	for i := range beside {
		files[fmt.Sprintf("z%02d.go", i)] = fmt.Sprintf("package m\n\nfunc Z%d() { F0() }\n", i)
	}
	return measure(t, module(t, files))[""]
}

// TestKnotLimit: a knot is too large when it is over both limits.
func TestKnotLimit(t *testing.T) {
	for _, tt := range []struct {
		knot, beside int
		over         bool
	}{
		{12, 0, false},
		{13, 0, true},
		{13, 19, true},  // 40.6 %
		{13, 20, false}, // 39.3 %
	} {
		p := chain(t, tt.knot, tt.beside)
		if got := len(p.Exceeds()) > 0; len(p.Knot) != tt.knot || got != tt.over {
			t.Errorf("knot of %d in %d files: measured %d, over the limit %v, want %v",
				tt.knot, p.Files, len(p.Knot), got, tt.over)
		}
	}
}

// TestSizes: methods and fields count if a type has methods; each parameter counts, also those that share a type.
func TestSizes(t *testing.T) {
	var text strings.Builder
	text.WriteString("package m\n\ntype data struct { " + strings.Repeat("_ int; ", 30) + "}\n")
	text.WriteString("type R struct { " + strings.Repeat("_ int; ", MaxFields+1) + "}\n")
	for i := range MaxMethods + 1 {
		fmt.Fprintf(&text, "func (*R) M%d() {}\n", i)
	}
	text.WriteString("func five(a, b int, c, d string, e ...data) {}\n")
	text.WriteString("func six(a, b, c, d, e int, _ error) {\n\n}\n")
	p := measure(t, module(t, map[string]string{"r.go": text.String()}))[""]
	want := []string{
		"/r.go: R has 41 methods",
		"/r.go: R has methods and 17 fields",
		"/r.go: six has 6 parameters",
	}
	if diff := cmp.Diff(want, p.Exceeds()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p.Fields != (Largest{"R", 17}) || p.Parameters != (Largest{"six", 6}) || p.Function != (Largest{"six", 3}) {
		t.Errorf("largest: %+v", p)
	}
}

// TestLongLines: columns are characters, a tab is one. Tables and code blocks of Markdown may be wider, and in Go what
// cannot be broken: raw strings and long words.
func TestLongLines(t *testing.T) {
	const wide = "ü"
	line := func(n int) string { return strings.Repeat(wide+" ", n/2) + strings.Repeat(wide, n%2) }
	p := measure(t, module(t, map[string]string{
		"a.go": "package m\n\n// " + line(117) + "\n// " + line(118) +
			"\nfunc f() {\n\t// " + line(116) + "\n\t// " + line(117) + "\n}\n",
		"a_test.go": "package m\n\n// " + line(118) + "\n",
		"b.go": "package m\n\nconst raw = `" + line(121) + "\n" + line(121) + "`\n\n// " + line(118) +
			"\nconst hash = \"" + strings.Repeat("x", 121) + "\"\n",
	}))[""]
	if diff := cmp.Diff([]string{"/a.go:4", "/a.go:7", "/b.go:6", "/a_test.go:3"}, p.Long); diff != "" {
		t.Errorf("Go (-want +got)\n%s", diff)
	}
	root := module(t, map[string]string{
		"docs/a.md": line(120) + "\n" + line(121) + "\n\n| " + line(298) + "\n| " + line(299) +
			"\n```\n" + line(121) + "\n" + line(301) + "\n```\n" + line(121) + "\n",
		".hidden/b.md":  line(121) + "\n",
		"testdata/c.md": line(121) + "\n",
	})
	long, err := LongMarkdown(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"docs/a.md:2", "docs/a.md:5", "docs/a.md:8", "docs/a.md:10"}, long); diff != "" {
		t.Errorf("Markdown (-want +got)\n%s", diff)
	}
}

// TestMeasureRefuses: what does not compile is an error that names it, not a measure of less.
func TestMeasureRefuses(t *testing.T) {
	root := module(t, map[string]string{"a.go": "package m\n\nfunc f() { missing() }\n"})
	if list, err := Measure(root, "./..."); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("measured %v, error %v", list, err)
	}
}

// TestThisRepository: the program can measure the repository that it belongs to, this package with it.
func TestThisRepository(t *testing.T) {
	list, err := Measure("../../..", "./cmd/internal/house/...", "./lmtp/address")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, p := range list {
		paths = append(paths, p.Path)
		if over := p.Exceeds(); len(over) > 0 {
			t.Errorf("%s: %q", p.Path, over)
		}
	}
	slices.Sort(paths)
	if diff := cmp.Diff([]string{"cmd/internal/house", "cmd/internal/house/measure", "lmtp/address"}, paths); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
