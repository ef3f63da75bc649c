package syntax

import (
	"strconv"
	"strings"
)

// String writes the script in one form: what is read again is the same tree.
func (s *Script) String() string {
	var b strings.Builder
	printCommands(&b, s.Commands, "")
	return b.String()
}

func printCommands(b *strings.Builder, list []*Command, indent string) {
	for _, c := range list {
		b.WriteString(indent)
		c.print(b)
		if !c.HasBlock {
			b.WriteString(";\n")
			continue
		}
		b.WriteString(" {\n")
		printCommands(b, c.Block, indent+"\t")
		b.WriteString(indent + "}\n")
	}
}

// print writes a command without its block, or a test.
func (c *Command) print(b *strings.Builder) {
	b.WriteString(c.Name)
	for _, a := range c.Arguments {
		b.WriteByte(' ')
		a.print(b)
	}
	if len(c.Tests) == 0 {
		return
	}
	b.WriteByte(' ')
	if c.IsList {
		b.WriteByte('(')
	}
	for i, t := range c.Tests {
		if i > 0 {
			b.WriteString(", ")
		}
		t.print(b)
	}
	if c.IsList {
		b.WriteByte(')')
	}
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func (a *Argument) print(b *strings.Builder) {
	switch a.Kind {
	case Tag:
		b.WriteString(":" + a.Text)
	case Number:
		b.WriteString(strconv.FormatUint(a.Number, 10))
	case String:
		b.WriteString(`"` + escape.Replace(a.Text) + `"`)
	case List:
		b.WriteByte('[')
		for i := range a.List {
			if i > 0 {
				b.WriteString(", ")
			}
			a.List[i].print(b)
		}
		b.WriteByte(']')
	}
}
