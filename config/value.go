package config

import (
	"fmt"
	"time"
)

// A value is what the file says for a key, and where.
type value struct {
	data any // as the decoder gives it
	node *node
	doc  *document
	// key is the path as a problem names it, with indexes counted in this file; path is the
	// same counted over all files.
	key, path string
}

// place is where the value stands.
func (v value) place() place { return place{v.doc, v.node.value, v.key} }

// name is where its key stands.
func (v value) name() place { return place{v.doc, v.node.key, v.key} }

// child returns what the table v says for a key.
func (v value) child(name string, data any) value {
	n := v.node.table[name]
	if n == nil {
		n = v.node // only if the scanner and the decoder read differently
	}
	key := printable(name)
	if v.key != "" {
		key = v.key + "." + key
	}
	return value{data, n, v.doc, key, v.below(name)}
}

// below returns the path of a key of the table v.
func (v value) below(name string) string {
	if v.path == "" {
		return printable(name)
	}
	return v.path + "." + printable(name)
}

// element returns element i of the array v, the index-th over all files.
func (v value) element(i, index int, data any) value {
	n := v.node
	if i < len(n.elements) {
		n = n.elements[i]
	}
	return value{data, n, v.doc, fmt.Sprintf("%s[%d]", v.key, i), fmt.Sprintf("%s[%d]", v.path, index)}
}

// tables returns v's elements where v is an array of tables, written [[v]] or in line.
func (v value) tables() ([]map[string]any, bool) {
	switch data := v.data.(type) {
	case []map[string]any:
		return data, true
	case []any:
		var tables []map[string]any
		for _, element := range data {
			table, ok := element.(map[string]any)
			if !ok {
				return nil, false
			}
			tables = append(tables, table)
		}
		return tables, true
	}
	return nil, false
}

// typeName says in the words of TOML what v is.
func (v value) typeName() string {
	switch v.data.(type) {
	case string:
		return "a string"
	case int64:
		return "a number"
	case float64:
		return "a fraction"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date"
	case []any:
		return "an array"
	case []map[string]any:
		return "an array of tables"
	}
	return "a table"
}

// printable renders a key as it would be written in a path.
func printable(name string) string {
	for i := range len(name) {
		if !isBare(name[i]) {
			return quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}
