package sql

import (
	"fmt"
	"slices"
	"strings"
)

// compile puts the placeholders of a database in the place of named parameters. What stands in
// strings, quoted names and comments is left alone, and so are casts (::text).
func (d Dialect) compile(query string) (text string, names []string, err error) {
	var b strings.Builder
	for rest := query; rest != ""; {
		if n := d.skip(rest); n > 0 {
			b.WriteString(rest[:n])
			rest = rest[n:]
			continue
		}
		if rest[0] != ':' {
			b.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		name := rest[1:]
		name = name[:len(name)-len(strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"))]
		if !slices.Contains(Parameters, name) {
			return "", nil, fmt.Errorf("unknown parameter :%s; there are :%s", name, strings.Join(Parameters, ", :"))
		}
		names = append(names, name)
		b.WriteString(d.placeholder(len(names)))
		rest = rest[1+len(name):]
	}
	return b.String(), names, nil
}

// skip returns the length of what rest begins with where no parameter can be in it, or 0.
func (d Dialect) skip(rest string) int {
	switch {
	case strings.HasPrefix(rest, "::"):
		return 2
	case strings.HasPrefix(rest, "--"):
		return until(rest, 2, "\n")
	case strings.HasPrefix(rest, "/*"):
		return until(rest, 2, "*/")
	case strings.ContainsRune("'\"`", rune(rest[0])):
		return d.quoted(rest)
	}
	return 0
}

// quoted returns the length of the string or quoted name that rest begins with. A doubled quote
// begins the next one, which comes to the same.
func (d Dialect) quoted(rest string) int {
	for i := 1; i < len(rest); i++ {
		switch {
		case d.Backslash && rest[i] == '\\' && rest[0] != '`':
			i++
		case rest[i] == rest[0]:
			return i + 1
		}
	}
	return len(rest)
}

// until returns the length of rest up to and with end, all of it where that is missing.
func until(rest string, from int, end string) int {
	if i := strings.Index(rest[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(rest)
}
