package house

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// columns returns the width of a line in characters, without its end. A tab is one, as for the linters of Go.
func columns(line string) int { return utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) }

// unbroken is the longest word that a line may hold beyond MaxColumns: a hash of a password, a path of a log, a URL.
const unbroken = 60

// scanGo counts the lines of a source, and returns the numbers of those over MaxColumns. Text within backquotes stands
// as it is, since a line end in it would be part of it, and a word of more than 60 characters cannot be broken.
func scanGo(text string) (lines int, long []int) {
	raw := false
	for line := range strings.Lines(text) {
		lines++
		quotes := 0
		if code := strings.TrimSpace(line); raw || !strings.HasPrefix(code, "//") {
			quotes = strings.Count(line, "`")
		}
		if columns(line) > MaxColumns && !raw && quotes == 0 && longestWord(line) <= unbroken {
			long = append(long, lines)
		}
		raw = raw != (quotes%2 == 1)
	}
	return lines, long
}

func longestWord(line string) (longest int) {
	for word := range strings.FieldsSeq(line) {
		longest = max(longest, utf8.RuneCountInString(word))
	}
	return longest
}

// LongMarkdown returns the lines of the Markdown files in root that are too long, as file:line. Rows of tables may
// have MaxTable columns, and so may code blocks, which show what a program prints.
func LongMarkdown(root string) (long []string, err error) {
	tree := os.DirFS(root)
	err = fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".md":
			return nil
		}
		text, err := fs.ReadFile(tree, p)
		if err != nil {
			return err
		}
		for _, line := range scanMarkdown(string(text)) {
			long = append(long, fmt.Sprintf("%s:%d", p, line))
		}
		return nil
	})
	return long, err
}

// scanMarkdown returns the numbers of the lines that are too long.
func scanMarkdown(text string) (long []int) {
	n, fenced := 0, false
	for line := range strings.Lines(text) {
		n++
		limit, start := MaxColumns, strings.TrimSpace(line)
		if fenced || strings.HasPrefix(start, "|") {
			limit = MaxTable
		}
		fenced = fenced != strings.HasPrefix(start, "```")
		if columns(line) > limit {
			long = append(long, n)
		}
	}
	return long
}
