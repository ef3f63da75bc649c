// Package columns aligns the columns of tables by what a terminal shows. The standard library's tabwriter counts
// runes, which is wrong for letters that take two columns and for marks that take none.
package columns

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// gap is what is between two columns.
const gap = 2

// A Writer collects rows, lines whose cells have tabs between them. The last cell of a row belongs to no column.
type Writer struct {
	to   io.Writer
	text strings.Builder
}

// New returns a Writer that prints to w.
func New(w io.Writer) *Writer { return &Writer{to: w} }

// Write adds a part of the text. Nothing is printed before Flush.
func (w *Writer) Write(p []byte) (int, error) { return w.text.Write(p) }

// Flush prints the rows, and forgets them.
func (w *Writer) Flush() error {
	var rows [][]string
	var widths []int
	for line := range strings.Lines(w.text.String()) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i, cell := range cells[:len(cells)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell))
		}
		rows = append(rows, cells)
	}
	w.text.Reset()
	var b strings.Builder
	for _, cells := range rows {
		last := len(cells) - 1
		for i, cell := range cells[:last] {
			b.WriteString(cell)
			b.WriteString(strings.Repeat(" ", widths[i]+gap-Width(cell)))
		}
		b.WriteString(cells[last])
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w.to, b.String())
	return err
}

// Width is how many columns of a terminal a text takes: two for what Unicode calls wide (UAX #11), none for marks
// on other letters and for what is not shown.
func Width(text string) (columns int) {
	for _, r := range text {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Cc), isMedialJamo(r):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			columns += 2
		default:
			columns++
		}
	}
	return columns
}

// isMedialJamo reports whether r is a Hangul vowel or a final consonant, which is shown within the letter before it.
func isMedialJamo(r rune) bool { return r >= 0x1160 && r <= 0x11ff || r >= 0xd7b0 && r <= 0xd7ff }
