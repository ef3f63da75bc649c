package tomlpos

import (
	"fmt"
	"time"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// A Value is what a document says for a key, and where.
type Value struct {
	Data     any // as the decoder returns it
	Document *Document
	// Key is the path of the key with indexes counted in this document. Path is the same with indexes
	// counted over all documents.
	Key, Path string

	node *node
}

// Place is where the value stands.
func (v Value) Place() Place { return Place{v.Document, v.node.value, v.Key} }

// KeyPlace is where its key stands.
func (v Value) KeyPlace() Place { return Place{v.Document, v.node.key, v.Key} }

// Child returns the value of a key in the table v.
func (v Value) Child(name string, data any) Value {
	n := v.node.table[name]
	if n == nil {
		n = v.node // only if the scanner and the decoder read differently
	}
	key := printable(name)
	if v.Key != "" {
		key = v.Key + "." + key
	}
	return Value{data, v.Document, key, v.Below(name), n}
}

// Below returns the path of a key in the table v.
func (v Value) Below(name string) string {
	if v.Path == "" {
		return printable(name)
	}
	return v.Path + "." + printable(name)
}

// Element returns element i of the array v, which has the given index over all documents.
func (v Value) Element(i, index int, data any) Value {
	n := v.node
	if i < len(n.elements) {
		n = n.elements[i]
	}
	return Value{data, v.Document, fmt.Sprintf("%s[%d]", v.Key, i), fmt.Sprintf("%s[%d]", v.Path, index), n}
}

// Tables returns the elements of v if it is an array of tables, written [[v]] or in line.
func (v Value) Tables() ([]map[string]any, bool) {
	switch data := v.Data.(type) {
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

// Type names the type of v in the words of TOML.
func (v Value) Type() string {
	switch v.Data.(type) {
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
			return hint.Quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}
