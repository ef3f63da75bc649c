package table

import (
	"fmt"
	"maps"
	"slices"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/tomlpos"
)

// A Reader fills a C from documents, by the parts that C has. The first part is the document itself, which the others
// are keys of.
type Reader[C any] struct {
	Input
	Config C

	parts    []Part[C]
	defaults map[string]tomlpos.Value // by path, of an array's key without index
}

// NewReader returns a Reader that has read nothing yet.
func NewReader[C any](parts []Part[C]) *Reader[C] {
	r := &Reader[C]{parts: parts, defaults: map[string]tomlpos.Value{}}
	r.values, r.suspects = map[string]*Value{}, map[string]bool{}
	for _, p := range parts {
		for _, row := range p.Rows {
			if row.Default == "" {
				continue
			}
			v, err := tomlpos.Literal(row.Default)
			if err != nil {
				panic(fmt.Sprintf("config: default of %s: %v", row.Name, err))
			}
			v.Key, v.Path = row.Name, "default."+row.Name
			r.defaults[p.Path(row.Name)] = v
		}
	}
	return r
}

// Read reads a document, and reports whether its syntax is right. The first document is the main one.
func (r *Reader[C]) Read(file, directory, text string) bool {
	d, values, err := tomlpos.Parse(file, text)
	d.Directory = directory
	if r.Main == nil {
		r.Main = d
	}
	if err != nil {
		r.add(err.Place, hint.Error{Text: err.Text, Hint: err.Hint})
		return false
	}
	r.table(d.Root(values), &r.parts[0], values)
	return true
}

// ApplyDefaults sets the keys that no document sets to their defaults. In arrays of tables Read has done so.
func (r *Reader[C]) ApplyDefaults() {
	for i := range r.parts {
		p := &r.parts[i]
		if p.Array {
			continue
		}
		_, read := p.begin(&r.Config)
		for row, k := range p.Rows {
			if r.values[p.Path(k.Name)] == nil {
				r.applyDefault(p, row, read)
			}
		}
	}
}

// table reads a table: its keys in the order of their rows, then what is left.
func (r *Reader[C]) table(v tomlpos.Value, p *Part[C], values map[string]any) {
	index, read := p.begin(&r.Config)
	if p.Array {
		v.Path = fmt.Sprintf("%s[%d]", p.Name, index)
		r.values[v.Path] = &Value{Value: v, in: &r.Input}
	}
	rest := maps.Clone(values)
	for row := range p.Rows {
		if data, ok := rest[p.Rows[row].Name]; ok {
			delete(rest, p.Rows[row].Name)
			r.key(v.Child(p.Rows[row].Name, data), p, row, read)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		child := v.Child(name, rest[name])
		if below := r.part(name); below != nil && p.Name == "" {
			r.section(child, below)
		} else {
			r.unknown(v, child, p, name)
		}
	}
	if p.Array {
		r.complete(v, p, read)
	}
}

// key reads the value of a key, which only one document may set.
func (r *Reader[C]) key(at tomlpos.Value, p *Part[C], row int, read func(int, *Value)) {
	v := &Value{Value: at, in: &r.Input}
	if before := r.values[v.Path]; before != nil {
		v.AddKey("already set at "+before.KeyPlace().String(), "")
		return
	}
	r.values[v.Path] = v
	read(row, v)
	if v.wrong && p.Array && isReferredTo(p.Rows[row].Name) {
		r.suspects[p.Name] = true
	}
}

// section reads a section of a document: a table, or an array of them.
func (r *Reader[C]) section(at tomlpos.Value, p *Part[C]) {
	v := &Value{Value: at, in: &r.Input}
	if !p.Array {
		values, ok := v.Data.(map[string]any)
		if !ok {
			v.AddKey("must be one table, not "+v.Type(), "write "+p.Header())
			return
		}
		r.values[v.Path] = v
		r.table(at, p, values)
		return
	}
	tables, ok := v.Tables()
	if !ok {
		v.AddKey("must be an array of tables, not "+v.Type(), "write "+p.Header())
		r.suspects[p.Name] = true
		return
	}
	for i, values := range tables {
		r.table(at.Element(i, i, values), p, values)
	}
}

// complete sets the keys that an element of an array leaves out to their defaults.
func (r *Reader[C]) complete(at tomlpos.Value, p *Part[C], read func(int, *Value)) {
	for row, k := range p.Rows {
		path := at.Below(k.Name)
		if r.values[path] != nil {
			continue
		}
		if k.Required && !r.suspects[path] {
			r.values[at.Path].AddKey(k.Name+" is missing", "write "+k.Name+" = "+k.Example)
			r.suspects[p.Name] = true
		}
		r.applyDefault(p, row, read)
	}
}

// applyDefault reads the default of a key as if a document said it.
func (r *Reader[C]) applyDefault(p *Part[C], row int, read func(int, *Value)) {
	if v, ok := r.defaults[p.Path(p.Rows[row].Name)]; ok {
		read(row, &Value{Value: v, in: &r.Input, isDefault: true})
	}
}

// An Entry is a key that is set or has a default.
type Entry struct {
	Section *Description
	Index   int // of the table in an array
	Row     *Row
	Path    string
	Value   *Value // what was set, or nil
}

// Entries returns the keys that are in force, in the order of their rows.
func (r *Reader[C]) Entries() (list []Entry) {
	for i := range r.parts {
		s := &r.parts[i].Description
		add := func(index int, path func(key string) string) {
			for j := range s.Rows {
				row, p := &s.Rows[j], path(s.Rows[j].Name)
				if v := r.values[p]; v != nil || row.Default != "" {
					list = append(list, Entry{s, index, row, p, v})
				}
			}
		}
		if !s.Array {
			add(0, s.Path)
			continue
		}
		for n := 0; r.Element(s.Name, n).Self() != nil; n++ {
			add(n, r.Element(s.Name, n).Self().Below)
		}
	}
	return list
}

// part returns the section of a name, or nil.
func (r *Reader[C]) part(name string) *Part[C] {
	for i := range r.parts[1:] {
		if p := &r.parts[1+i]; p.Name == name {
			return p
		}
	}
	return nil
}

// isReferredTo reports whether others refer to an element of an array by this key. If it cannot be read, that a
// reference leads nowhere is no problem of its own.
func isReferredTo(key string) bool { return key == "name" || key == "address" || key == "aliases" }
