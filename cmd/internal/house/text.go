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

// scanGo counts the lines of a source, and returns the numbers of those over MaxColumns.
func scanGo(text string) (lines int, long []int) {
	for line := range strings.Lines(text) {
		lines++
		if columns(line) > MaxColumns {
			long = append(long, lines)
		}
	}
	return lines, long
}

// LongMarkdown returns the lines of the Markdown files in root that are too long, as file:line. Rows of tables may
// have MaxTable columns. Code blocks, and lines with a link that nothing can break, count as others do.
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
	n := 0
	for line := range strings.Lines(text) {
		n++
		limit := MaxColumns
		if strings.HasPrefix(strings.TrimSpace(line), "|") {
			limit = MaxTable
		}
		if columns(line) > limit {
			long = append(long, n)
		}
	}
	return long
}
