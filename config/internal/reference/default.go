// Package reference renders the description of a configuration: as a configuration of all defaults, as Markdown, as a
// man page and as a JSON schema.
package reference

import (
	"strings"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// maxComment is the longest comment line of the default configuration, in octets.
const maxComment = 90

// Default returns the default configuration with comments: every key with its default or, if absence has a meaning of
// its own, commented out with an example. It is a configuration that loads.
func Default(sections []table.Description) string {
	var b strings.Builder
	b.WriteString("# Configuration of Doorstep. Sizes are \"50MiB\" or plain octets, durations \"5m\" or \"90s\".\n")
	b.WriteString("# Relative paths resolve against this file; conf.d/*.toml beside it is read after it.\n")
	for _, s := range sections {
		b.WriteString("\n")
		comment(&b, s.Doc)
		if s.Sample != nil {
			b.WriteString("#" + s.Header() + "\n")
			for _, line := range s.Sample {
				b.WriteString("#" + line + "\n")
			}
			continue
		}
		if s.Name != "" {
			b.WriteString(s.Header() + "\n")
		}
		for _, k := range s.Rows {
			b.WriteString("\n")
			comment(&b, k.About()+" Takes "+k.Takes+".")
			b.WriteString(line(k) + "\n")
		}
	}
	return b.String()
}

// line is the key as it stands in the default configuration.
func line(k table.Row) string {
	switch {
	case k.Required:
		return k.Name + " = " + k.Example
	case k.Default != "":
		return k.Name + " = " + k.Default
	}
	return "#" + k.Name + " = " + k.Example
}

// comment writes text in lines of at most maxComment.
func comment(b *strings.Builder, text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > maxComment {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
