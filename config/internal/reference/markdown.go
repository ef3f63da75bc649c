package reference

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

const introduction = "# Configuration\n\n" +
	"One TOML file, and the `conf.d/*.toml` beside it in the order of their names. `[[tables]]` add up over\n" +
	"the files; every other key is said once. Keys are case-sensitive. Sizes are strings with KiB, MiB, GiB or\n" +
	"TiB, or plain octets; durations are strings with h, m, s or ms. Relative paths resolve against the file\n" +
	"that says them.\n"

// Markdown returns the description of all keys in Markdown.
func Markdown(sections []table.Description) string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, s := range sections {
		title := "Top level"
		if s.Name != "" {
			title = "`" + s.Header() + "`"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", title, fold(markdown(s.Doc)))
		b.WriteString("| key | takes | default | |\n|---|---|---|---|\n")
		for _, k := range s.Rows {
			fallback := "–"
			switch {
			case k.Required:
				fallback = "required"
			case k.Default != "":
				fallback = "`" + k.Default + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, markdown(k.Takes), fallback, markdown(k.About()))
		}
	}
	return b.String()
}

// markdown escapes plain text for a cell of a table.
func markdown(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "_", `\_`, "`", "\\`").Replace(text)
}

// fold breaks a paragraph into lines of at most 118 characters.
func fold(text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		width := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+width > 118:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width
	}
	return b.String()
}
