package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/config"
)

// What the documentation says of the code is read off the code.

// TestSecurityTableNamesTests: the table of security.md has a row for each check, and every test and
// session that it names exists.
func TestSecurityTableNamesTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	rows := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([RS]\d+) \|(.*)\|$`).FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = m[2]
	}
	for kind, last := range map[string]int{"S": 31, "R": 20} {
		for n := 1; n <= last; n++ {
			row, ok := rows[kind+strconv.Itoa(n)]
			names := regexp.MustCompile("`([A-Za-z0-9-]+)`").FindAllStringSubmatch(row, -1)
			if !ok || len(names) == 0 && !strings.Contains(row, "does not apply") && !strings.Contains(row, "every test") {
				t.Errorf("%s%d has no test and no reason", kind, n)
			}
			for _, name := range names {
				_, err := os.Stat(filepath.Join(root, "testdata/sessions", name[1]+".txt"))
				known := []string{"openat2"}
				if !tests[name[1]] && errors.Is(err, fs.ErrNotExist) && !slices.Contains(known, name[1]) {
					t.Errorf("%s%d names %s, which does not exist", kind, n, name[1])
				}
			}
		}
	}
}

// testNames has the functions of all tests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, f := range sources(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.isTest() {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

// TestPagesNameTests: every test that a page names exists, and each row about what hangs names some.
func TestPagesNameTests(t *testing.T) {
	tests := testNames(t)
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*)(…?)`")
	named := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range name.FindAllStringSubmatch(string(text), -1) {
			named++
			begins := func(test string) bool { return strings.HasPrefix(test, m[1]) }
			if !tests[m[1]] && (m[2] == "" || !slices.ContainsFunc(slices.Collect(maps.Keys(tests)), begins)) {
				t.Errorf("%s names %s, which does not exist", filepath.Base(page), m[1])
			}
		}
		_, table, ok := strings.Cut(string(text), "| what hangs |")
		if !ok {
			continue
		}
		table, _, _ = strings.Cut(table, "\n\n")
		for _, row := range strings.Split(table, "\n")[2:] {
			if len(name.FindAllString(row, -1)) == 0 {
				t.Errorf("no test in %s", row)
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests are named", named)
	}
}

// TestEveryReplyIsExplained: troubleshooting.md has each reply that the code can give and that is no
// success.
func TestEveryReplyIsExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, cell := range column(string(text), "Reply") {
		for _, code := range regexp.MustCompile(`\d{3}(?: \d\.\d+\.\d+)?`).FindAllString(cell, -1) {
			explained[code] = true
		}
	}
	found := 0
	for _, f := range sources(t) {
		if f.isTest() || !below(f.dir(), "lmtp") && !below(f.dir(), "delivery") && !below(f.dir(), "cmd") ||
			below(f.dir(), "cmd/internal/bench") || below(f.dir(), "lmtp/client") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			code := replyOf(literal)
			if code == "" || code[0] < '4' {
				return true
			}
			found++
			if !explained[code] {
				t.Errorf("%s: %s is not in docs/troubleshooting.md", f.at(n), code)
			}
			return true
		})
	}
	if found < 40 {
		t.Errorf("only %d replies found in the code", found)
	}
}

// replyOf returns the codes in a literal of a Reply or an Error, or in a row of codes: "550 5.1.1".
func replyOf(literal *ast.CompositeLit) string {
	var code, enhanced string
	for _, element := range literal.Elts {
		value := element
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			value = pair.Value
			if name, ok := pair.Key.(*ast.Ident); !ok || name.Name != "Code" && name.Name != "Enhanced" {
				continue
			}
		}
		basic, ok := value.(*ast.BasicLit)
		switch {
		case !ok:
		case basic.Kind == token.INT && regexp.MustCompile(`^[245]\d\d$`).MatchString(basic.Value) && code == "":
			code = basic.Value
		case basic.Kind == token.STRING && regexp.MustCompile(`^"[245]\.\d+\.\d+"$`).MatchString(basic.Value):
			enhanced = strings.Trim(basic.Value, `"`)
		}
	}
	if code == "" {
		return ""
	}
	return strings.TrimSpace(code + " " + enhanced)
}

// TestExamplesOfConfigurationLoad: what the documentation shows in TOML is TOML that the program knows:
// complete configurations load, and of pieces every key is known.
func TestExamplesOfConfigurationLoad(t *testing.T) {
	blocks := 0
	for _, page := range pages(t) {
		for i, m := range regexp.MustCompile("(?ms)^```toml\n(.*?)^```$").FindAllStringSubmatch(page.text, -1) {
			blocks++
			file := filepath.Join(t.TempDir(), fmt.Sprintf("%d.toml", i))
			if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			_, problems, err := config.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			complete := strings.Contains(m[1], "[[listen]]") && strings.Contains(m[1], "[[domain]]")
			for _, p := range problems {
				switch {
				case p.Warning:
				case complete:
					t.Errorf("%s: a configuration does not load: %s", page.path, p)
				case strings.Contains(p.Text, "unknown key"), strings.Contains(p.Text, "must be"), p.Key == "" && p.Line > 0:
					t.Errorf("%s: %s", page.path, p)
				}
			}
		}
	}
	if blocks < 5 {
		t.Errorf("only %d examples found", blocks)
	}
}

// TestArchitectureNamesWhatIsThere: each path in code that the page names exists.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, m := range regexp.MustCompile("`((?:cmd|config|delivery|dist|docs|lmtp|mailbox|testdata)(?:/[a-zA-Z_0-9.-]+)*)`").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], "NAME") {
			continue
		}
		named++
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	if named < 40 {
		t.Errorf("only %d paths are named", named)
	}
}

// TestArchitectureNamesLines: what the page says is in a file is in it.
func TestArchitectureNamesLines(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| .* \\| `([^`]+)` \\| `([^`]+)` \\|$").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 16 {
		t.Errorf("only %d rows", len(rows))
	}
	for _, row := range rows {
		text, err := os.ReadFile(filepath.Join(root, row[1]))
		if err != nil || !strings.Contains(string(text), row[2]) {
			t.Errorf("%s: no %s (%v)", row[1], row[2], err)
		}
	}
}
