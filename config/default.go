package config

import (
	"fmt"
	"strings"
)

// Default returns the default configuration, with comments: every key with its default, or,
// where absence has a meaning of its own, commented out with an example. It is a
// configuration that loads.
func Default() string {
	var b strings.Builder
	b.WriteString("# Configuration of Doorstep. Sizes are \"50MiB\" or plain octets, durations \"5m\" or \"90s\".\n")
	b.WriteString("# Relative paths resolve against this file; conf.d/*.toml beside it is read after it.\n")
	for i := range sections {
		s := &sections[i]
		b.WriteString("\n")
		comment(&b, s.doc)
		if s.sample != nil {
			b.WriteString("#" + s.header() + "\n")
			for _, line := range s.sample {
				b.WriteString("#" + line + "\n")
			}
			continue
		}
		if s.name != "" {
			b.WriteString(s.header() + "\n")
		}
		for _, k := range s.keys {
			b.WriteString("\n")
			comment(&b, k.about()+" Takes "+k.takes+".")
			b.WriteString(k.line() + "\n")
		}
	}
	return b.String()
}

// line is how the default configuration has the key.
func (k key) line() string {
	switch {
	case k.required:
		return k.name + " = " + k.example
	case k.fallback != "":
		return k.name + " = " + k.fallback
	}
	return "#" + k.name + " = " + k.example
}

// about is what the key means, and when a change of it counts.
func (k key) about() string {
	if k.restart {
		return k.doc + " Read when the server starts."
	}
	return k.doc
}

// comment writes text in lines of at most 90 characters.
func comment(b *strings.Builder, text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 90 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// Reference returns the description of all keys, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n")
	b.WriteString("One TOML file, and the `conf.d/*.toml` beside it in the order of their names. `[[tables]]` add up over\n")
	b.WriteString("the files; every other key is said once. Keys are case-sensitive. Sizes are strings with KiB, MiB, GiB or\n")
	b.WriteString("TiB, or plain octets; durations are strings with h, m, s or ms. Relative paths resolve against the file\n")
	b.WriteString("that says them.\n")
	for i := range sections {
		s := &sections[i]
		title := "Top level"
		if s.name != "" {
			title = "`" + s.header() + "`"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", title, markdown(s.doc))
		b.WriteString("| key | takes | default | |\n|---|---|---|---|\n")
		for _, k := range s.keys {
			fallback := "–"
			switch {
			case k.required:
				fallback = "required"
			case k.fallback != "":
				fallback = "`" + k.fallback + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.name, markdown(k.takes), fallback, markdown(k.about()))
		}
	}
	return b.String()
}

// markdown escapes plain text for a cell of a table.
func markdown(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "_", `\_`, "`", "\\`").Replace(text)
}
