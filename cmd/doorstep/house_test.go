package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/house"
)

// The rules of the house that no compiler keeps. They are read off the source tree, which is a
// matter of milliseconds and needs nothing but the files.

const module = "github.com/doorstep-mail/doorstep"

// arrows says what the packages below a directory may import of ours; the first row that fits
// counts. A name stands for what is below it too. Tests may import anything.
var arrows = []struct {
	from string
	to   []string
}{
	{"cmd", []string{"cmd/internal", "config", "delivery", "lmtp", "mailbox"}},
	{"config/hint", nil},
	{"config/internal", []string{"config/hint", "config/internal"}},
	// which it asks about files, and folders' names
	{"config", []string{"config/hint", "config/internal", "lmtp/guard", "lmtp/address", "lmtp/auth", "lmtp/keypair",
		"mailbox"}},
	{"delivery/database", nil},
	{"delivery/directory", []string{"delivery/database", "delivery/directory", "lmtp/guard", "lmtp/address"}},
	{"delivery/head", nil},
	{"delivery/outbox", []string{"lmtp/address", "lmtp/guard"}},
	{"delivery/sender", []string{"delivery/outbox", "delivery/report", "delivery/submit", "lmtp/address", "lmtp/client"}},
	{"delivery/submit", []string{"lmtp/client"}},
	{"delivery/report", []string{"lmtp/address", "lmtp/client"}},
	{"delivery/sieve/dialect", nil}, // for tests
	{"delivery/sieve/syntax", nil},
	{"delivery/sieve/message", []string{"mailbox/words"}},
	{"delivery/sieve/program", []string{"delivery/sieve", "lmtp/guard"}},
	{"delivery/sieve/svtest", []string{"delivery/sieve"}},
	{"delivery/sieve/reply", []string{"delivery/sieve", "lmtp/address"}},
	{"delivery/sieve", []string{"delivery/sieve/message", "delivery/sieve/syntax", "lmtp/address"}},
	{"delivery/route", []string{"delivery/directory", "lmtp", "mailbox"}},
	{"delivery/state", []string{"delivery/database", "lmtp/guard"}},
	{"delivery/warning", []string{"lmtp/guard", "mailbox"}},
	{"delivery", []string{"delivery/directory", "delivery/head", "delivery/outbox", "delivery/route", "delivery/state",
		"delivery/warning", "lmtp/guard", "lmtp", "mailbox"}},
	{"lmtp/guard", []string{"lmtp/guard"}}, // a leaf of all packages that start goroutines
	{"lmtp/client", []string{"lmtp/guard", "lmtp/address"}},
	{"lmtp/address", nil},
	{"lmtp/lmtptest", nil},
	{"lmtp/internal", []string{"lmtp/guard"}},
	{"lmtp/keypair", []string{"lmtp/internal"}},
	{"lmtp/auth", []string{"lmtp", "lmtp/internal"}}, // it implements an interface of lmtp
	{"lmtp", []string{"lmtp/guard", "lmtp/address", "lmtp/internal"}},
	{"mailbox/powercut", nil}, // for tests
	{"mailbox/maildir", nil},
	{"mailbox/words", nil},
	{"mailbox/quota", []string{"lmtp/guard", "mailbox/internal/kernel", "mailbox/maildir"}},
	{"mailbox/internal/kernel", []string{"lmtp/guard"}},
	{"mailbox/internal/semaphore", nil},
	{"mailbox/internal/mount", []string{"lmtp/guard", "mailbox/internal/kernel"}},
	{"mailbox/internal/durable", []string{"lmtp/guard", "mailbox/internal/kernel", "mailbox/internal/semaphore",
		"mailbox/maildir"}},
	{"mailbox", []string{"lmtp/guard", "mailbox/internal", "mailbox/maildir", "mailbox/quota", "mailbox/words"}},
}

// TestImportsRunOneWay: the protocol knows no files and no accounts, the mailboxes know no
// protocol, and the leaves import nothing of ours.
func TestImportsRunOneWay(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		if f.isTest() {
			continue
		}
		row := slices.IndexFunc(arrows, func(a struct {
			from string
			to   []string
		}) bool {
			return below(f.dir(), a.from)
		})
		if row < 0 {
			t.Errorf("%s: the house has no rule for what %s may import", f.path, f.dir())
			continue
		}
		seen[arrows[row].from] = true
		for _, i := range f.syntax.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours, ok := strings.CutPrefix(imported, module+"/")
			if ok && !slices.ContainsFunc(arrows[row].to, func(to string) bool { return below(ours, to) }) {
				t.Errorf("%s: %s must not import %s", f.at(i), f.dir(), ours)
			}
		}
	}
	for _, a := range arrows {
		if !seen[a.from] {
			t.Errorf("there is a rule for %s, which has no package", a.from)
		}
	}
}

// TestEveryPackageIsDocumented: each has one comment, that says what it is.
func TestEveryPackageIsDocumented(t *testing.T) {
	docs := map[string][]string{}
	for _, f := range sources(t) {
		if f.isTest() {
			continue
		}
		docs[f.dir()] = append(docs[f.dir()], "")
		if f.syntax.Doc != nil {
			docs[f.dir()] = append(docs[f.dir()], f.path)
		}
	}
	for dir, files := range docs {
		files = slices.DeleteFunc(files, func(f string) bool { return f == "" })
		if len(files) != 1 {
			t.Errorf("%s: package comments in %q, want one", dir, files)
		}
	}
}

// TestNoInit: what a package does before main runs cannot be read where it takes effect. Only main's own stands beside
// it: the first thread can be kept at no other time.
func TestNoInit(t *testing.T) {
	for _, f := range sources(t) {
		if f.path == "cmd/doorstep/main.go" {
			continue
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: a function init", f.at(fn))
			}
		}
	}
}

// maxLines is the most a file may have; tests may have more.
const maxLines = 450

// TestFilesAreShort: a file is about one thing.
func TestFilesAreShort(t *testing.T) {
	for _, f := range sources(t) {
		if n := bytes.Count(f.text, []byte("\n")); n > maxLines && !f.isTest() {
			t.Errorf("%s has %d lines, more than %d: it is about more than one thing", f.path, n, maxLines)
		}
	}
}

// maxVerbs is the most files that package main may have.
const maxVerbs = 25

// TestShape: the files of a package do not all depend on one another, a receiver has a size that one can keep in mind,
// and lines can be read side by side. "make house" prints the figures of all packages.
func TestShape(t *testing.T) {
	packages, err := house.Measure(root, "./...")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		for _, over := range p.Exceeds() {
			t.Error(over)
		}
		for _, line := range p.Long {
			t.Errorf("%s has more than %d columns", line, house.MaxColumns)
		}
		if p.Path == "cmd/doorstep" && p.Files > maxVerbs {
			t.Errorf("%s has %d files, more than %d: it is the verbs, and nothing else", p.Path, p.Files, maxVerbs)
		}
	}
	long, err := house.LongMarkdown(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range long {
		t.Errorf("%s has more than %d columns, or %d in a table or block", line, house.MaxColumns, house.MaxTable)
	}
}

// vague matches words in whose place the noun that is meant says more, after the phrases that are good English.
var vague = regexp.MustCompile(`(?i)\b(lea(?:ves|ve|ving) behind|left behind|gives (?:up|back)|` +
	`nobody|somebody|anybody|everybody|whoever|so many|in vain|to be had|told|gives|behind)\b`)

var plain = regexp.MustCompile(`(?i)^(lea.* behind|left behind|gives (up|back))$`)

// TestWords: comments, messages and pages name who and what is meant.
func TestWords(t *testing.T) {
	check := func(at, text string) {
		for _, word := range vague.FindAllString(text, -1) {
			if !plain.MatchString(word) {
				t.Errorf("%s: %q: name who or what is meant", at, word)
			}
		}
	}
	for _, f := range sources(t) {
		if f.isTest() {
			continue
		}
		for _, group := range f.syntax.Comments {
			check(f.at(group), strings.ReplaceAll(group.Text(), "\n", " "))
		}
		if below(f.dir(), "cmd/internal/peer") || below(f.dir(), "delivery/directory/directorytest") {
			continue // which has names and mail of the tests in its texts
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				check(f.at(text), text.Value)
			}
			return true
		})
	}
	for _, page := range pages(t) {
		check(page.path, codeSpan.ReplaceAllString(withoutCode(page.text), ""))
	}
}

// codeSpan is what a page shows as it is: a command, a name.
var codeSpan = regexp.MustCompile("`[^`]*`")

var (
	// A citation is "RFC 5321", also with further ones after it: "RFC 2034, 3463".
	citation = regexp.MustCompile(`\bRFCs?\s+([0-9]{3,5}(?:(?:,\s+|\s+and\s+)[0-9]{4}\b)*)`)
	rfc      = regexp.MustCompile(`[0-9]{3,5}`)
)

// TestEveryStandardIsListed: what the code cites, the documentation has in a table with what is
// done with it.
func TestEveryStandardIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, page := range pages(t) {
		for _, cell := range column(page.text, "RFC") {
			for _, n := range rfc.FindAllString(cell, -1) {
				listed[n] = true
			}
		}
	}
	cited := map[string]string{}
	for _, f := range sources(t) {
		for _, group := range f.syntax.Comments {
			for _, c := range citation.FindAllStringSubmatch(group.Text(), -1) {
				for _, n := range rfc.FindAllString(c[1], -1) {
					cited[n] = f.at(group)
				}
			}
		}
	}
	if len(cited) == 0 {
		t.Fatal("no standard is cited anywhere")
	}
	for _, n := range slices.Sorted(maps.Keys(cited)) {
		if !listed[n] {
			t.Errorf("%s cites RFC %s, which no table of README.md or docs/*.md lists", cited[n], n)
		}
	}
}

// column returns the cells below a heading, of all tables of a page.
func column(text, name string) (cells []string) {
	at := -1
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			at = -1
			continue
		}
		row := strings.Split(strings.TrimSpace(line), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if i := slices.Index(row, name); i >= 0 {
			at = i
		} else if at >= 0 && at < len(row) {
			cells = append(cells, row[at])
		}
	}
	return cells
}

// link is a Markdown link to a page or a picture: [text](target).
var link = regexp.MustCompile(`\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)

// TestLinksLeadSomewhere: a relative link of the documentation names a file that exists, and a
// heading in it where it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, l := range link.FindAllStringSubmatch(withoutCode(page.text), -1) {
			target, anchor, _ := strings.Cut(l[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := path.Join(path.Dir(page.path), target)
			if target == "" {
				to = page.path
			}
			text, err := os.ReadFile(filepath.Join(root, to))
			if info, statErr := os.Stat(filepath.Join(root, to)); statErr == nil && info.IsDir() {
				continue
			}
			switch {
			case errors.Is(err, fs.ErrNotExist):
				t.Errorf("%s links to %s, which does not exist", page.path, l[1])
			case err != nil:
				t.Error(err)
			case anchor != "" && !slices.Contains(anchors(string(text)), anchor):
				t.Errorf("%s links to %s, which has no such heading", page.path, l[1])
			}
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)

// anchors are the names that headings have in links: lower case, spaces as hyphens, without
// punctuation.
func anchors(text string) (names []string) {
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 0x7f:
				return r
			}
			return -1
		}, strings.ToLower(h[1])))
	}
	return names
}

var fence = regexp.MustCompile("(?ms)^```.*?^```$")

func withoutCode(text string) string { return fence.ReplaceAllString(text, "") }

// root is the repository.
const root = "../.."

// A source is a Go file of the repository.
type source struct {
	path   string // from the root, with slashes
	text   []byte
	syntax *ast.File
	fset   *token.FileSet
}

func (s source) dir() string { return path.Dir(s.path) }

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// at returns the place of a node as file:line.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// sources reads all Go files.
func sources(t *testing.T) (list []source) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".go":
			return nil
		}
		s := source{path: p, fset: token.NewFileSet()}
		if s.text, err = os.ReadFile(filepath.Join(root, p)); err != nil {
			return err
		}
		s.syntax, err = parser.ParseFile(s.fset, p, s.text, parser.ParseComments)
		list = append(list, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 50 {
		t.Fatalf("only %d Go files found: this is not the whole repository", len(list))
	}
	return list
}

// A page is one of the documentation.
type page struct{ path, text string }

// pages reads README.md and docs/*.md.
func pages(t *testing.T) (list []page) {
	t.Helper()
	docs, err := fs.Glob(os.DirFS(root), "docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append([]string{"README.md"}, docs...) {
		text, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, page{p, string(text)})
	}
	return list
}

// below reports whether a directory is dir or below it.
func below(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
