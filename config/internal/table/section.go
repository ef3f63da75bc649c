package table

import "slices"

// A Section is a table of a configuration, or an array of tables, which is read into a T.
type Section[T any] struct {
	Name string // "" is the document itself
	Doc  string
	// Sample is what the default configuration shows, commented out, of a section that most installations do without.
	Sample  []string
	Keys    []Key[T]
	Foreign Foreign
	// Initial is the value of an element of an array before its keys are read.
	Initial T
}

// Foreign are keys that other programs have in such a section, and what to do instead.
type Foreign struct {
	Keys []string
	Hint string
}

// A Description is a section with its keys, without how they are read.
type Description struct {
	Name    string
	Array   bool
	Doc     string
	Sample  []string
	Foreign Foreign
	Rows    []Row
}

// A Part is a section of the configuration C.
type Part[C any] struct {
	Description
	// begin begins a table, in an array a new one. It returns the table's index in the array, and what reads the
	// key of a row.
	begin func(c *C) (index int, read func(row int, v *Value))
}

// One makes a part of a section that is one table.
func One[C, T any](at func(*C) *T, s Section[T]) Part[C] {
	return Part[C]{s.describe(false), func(c *C) (int, func(int, *Value)) { return 0, s.reader(at(c)) }}
}

// Many makes a part of a section that is an array of tables.
func Many[C, T any](at func(*C) *[]T, s Section[T]) Part[C] {
	return Part[C]{s.describe(true), func(c *C) (int, func(int, *Value)) {
		list := at(c)
		*list = append(*list, s.Initial)
		last := len(*list) - 1
		return last, s.reader(&(*list)[last])
	}}
}

func (s *Section[T]) reader(to *T) func(row int, v *Value) {
	return func(row int, v *Value) { s.Keys[row].Kind.Read(to, v) }
}

func (s *Section[T]) describe(array bool) Description {
	d := Description{Name: s.Name, Array: array, Doc: s.Doc, Sample: s.Sample, Foreign: s.Foreign}
	for _, k := range s.Keys {
		d.Rows = append(d.Rows, k.row())
	}
	return d
}

// Descriptions returns what parts describe.
func Descriptions[C any](parts []Part[C]) []Description {
	var list []Description
	for _, p := range parts {
		list = append(list, p.Description)
	}
	return list
}

// Row returns the key of a name, or nil.
func (d *Description) Row(name string) *Row {
	if i := slices.IndexFunc(d.Rows, func(r Row) bool { return r.Name == name }); i >= 0 {
		return &d.Rows[i]
	}
	return nil
}

// Naming returns the key that tells the elements of an array apart; the zero Row if none does.
func (d *Description) Naming() Row {
	for _, r := range d.Rows {
		if r.Required {
			return r
		}
	}
	return Row{}
}

// Header returns how the section begins in a file.
func (d *Description) Header() string {
	switch {
	case d.Name == "":
		return "the beginning of the file"
	case d.Array:
		return "[[" + d.Name + "]]"
	}
	return "[" + d.Name + "]"
}

// Path returns the path of a key in the section, which is not an array.
func (d *Description) Path(key string) string {
	if d.Name == "" {
		return key
	}
	return d.Name + "." + key
}
