// Package table describes a configuration as a table of sections and keys, and reads TOML documents by it. The
// reference, the default configuration, the JSON schema and the man page come from the same description.
//
// A key is typed by the section it belongs to: Key[T] is read into a *T, and knows nothing of other sections. What
// the keys of a configuration say of one another is for its owner to check, who asks an Input what was set, and where.
package table

// A Key is one key of a section, which is read into a T.
type Key[T any] struct {
	Name string
	Kind Kind[T]
	// Default is written as in a file. It is "" if absence has a meaning of its own, which Doc explains.
	Default string
	// Example is for keys without Default.
	Example  string
	Required bool
	// Restart marks a key that a running server does not read again.
	Restart bool
	Doc     string
}

// A Kind is what a key takes.
type Kind[T any] struct {
	Takes  string // in words
	Schema Schema
	Read   func(to *T, v *Value)
}

// A Schema is a JSON Schema of a value (draft 2020-12).
type Schema map[string]any

// A Row is the description of a key, without how it is read.
type Row struct {
	Name, Takes       string
	Schema            Schema
	Default, Example  string
	Required, Restart bool
	Doc               string
}

// About is what the key means, and when a change of it takes effect.
func (r Row) About() string {
	if r.Restart {
		return r.Doc + " Read when the server starts."
	}
	return r.Doc
}

// row returns the description of k.
func (k Key[T]) row() Row {
	return Row{k.Name, k.Kind.Takes, k.Kind.Schema, k.Default, k.Example, k.Required, k.Restart, k.Doc}
}

// Of makes the keys of a part keys of the whole that it belongs to.
func Of[T, P any](part func(*T) *P, keys ...Key[P]) []Key[T] {
	var list []Key[T]
	for _, k := range keys {
		kind := Kind[T]{k.Kind.Takes, k.Kind.Schema, func(to *T, v *Value) { k.Kind.Read(part(to), v) }}
		list = append(list, Key[T]{k.Name, kind, k.Default, k.Example, k.Required, k.Restart, k.Doc})
	}
	return list
}
