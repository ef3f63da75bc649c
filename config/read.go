package config

import (
	"fmt"
	"maps"
	"slices"
)

// A reader fills a Config from documents, by the table of keys.
type reader struct {
	config   Config
	problems problems
	// said holds every value of a key of the table, by its path over all files.
	said map[string]value
	// doubt holds the paths of what a file got so wrong that nothing may be concluded from
	// its absence: whole sections, and keys that were probably meant by a misspelled one.
	doubt map[string]bool
	// domains and mailboxes are the names given to Config.Domains and Config.Users, and where.
	domains   []domainName
	mailboxes []mailbox

	// What is being read belongs to these, where it belongs to an array of tables.
	listen    *Listen
	domain    *Domain
	user      *User
	alias     *Alias
	rule      *Rule
	directory *Directory
}

func newReader() *reader {
	return &reader{said: map[string]value{}, doubt: map[string]bool{}}
}

// document reads one file.
func (r *reader) document(d *document, values map[string]any) {
	root := value{data: values, node: d.root, doc: d}
	r.table(root, &sections[0], values)
}

// table reads a table of a section: its keys in the order they are described in, then what
// is left. The first section is the document itself, which the others are keys of.
func (r *reader) table(v value, s *section, values map[string]any) {
	rest := maps.Clone(values)
	for i := range s.keys {
		if data, ok := rest[s.keys[i].name]; ok {
			delete(rest, s.keys[i].name)
			r.key(v.child(s.keys[i].name, data), &s.keys[i])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		child := v.child(name, rest[name])
		if below := sectionNamed(name); below != nil && s.name == "" {
			r.section(child, below)
		} else {
			r.unknown(v, child, s, name)
		}
	}
}

// key reads the value of a key, which only one file may say.
func (r *reader) key(v value, k *key) {
	if before, twice := r.said[v.path]; twice {
		r.problems.add(v.name(), "already set at "+before.name().String(), "")
		return
	}
	r.said[v.path] = v
	k.read(r, v)
}

// section reads what a document says for a section: a table, or an array of them.
func (r *reader) section(v value, s *section) {
	if !s.array {
		table, ok := v.data.(map[string]any)
		if !ok {
			r.problems.add(v.name(), "must be one table, not "+v.typeName(), "write "+s.header())
			return
		}
		r.said[v.path] = v
		r.table(v, s, table)
		return
	}
	tables, ok := v.tables()
	if !ok {
		r.problems.add(v.name(), "must be an array of tables, not "+v.typeName(), "write "+s.header())
		r.doubt[s.name] = true
		return
	}
	for i, table := range tables {
		element := v.element(i, s.begin(r), table)
		r.said[element.path] = element
		r.table(element, s, table)
		r.complete(element, s)
	}
}

// complete gives the keys that an element leaves out their defaults.
func (r *reader) complete(v value, s *section) {
	for _, k := range s.keys {
		if _, said := r.said[v.below(k.name)]; said {
			continue
		}
		if k.required && !r.doubt[v.below(k.name)] {
			r.problems.add(v.name(), k.name+" is missing", "write "+k.name+" = "+k.example)
		}
		r.fallback(k)
	}
}

// defaults gives the keys that no file says their defaults, arrays of tables left aside.
func (r *reader) defaults() {
	for i := range sections {
		s := &sections[i]
		if s.array {
			continue
		}
		for _, k := range s.keys {
			if _, said := r.said[s.path(k)]; !said {
				r.fallback(k)
			}
		}
	}
}

// fallback reads the default of a key as if a file said it.
func (r *reader) fallback(k key) {
	if k.fallback == "" {
		return
	}
	values, err := decode("it = " + k.fallback)
	if err != nil {
		panic(fmt.Sprintf("config: default of %s: %v", k.name, err))
	}
	d := &document{file: "default", lines: []int{0}}
	k.read(r, value{data: values["it"], node: &node{}, doc: d, key: k.name, path: "default." + k.name})
}

// unknown says that there is no such key in the table, and which may be meant.
func (r *reader) unknown(table, v value, s *section, name string) {
	if len(r.problems) == maxProblems {
		return // guessing is not free
	}
	hint := ""
	if meant := closest(name, s.names()); meant != "" {
		hint = "did you mean " + meant + "?"
		r.doubt[table.below(meant)] = true
		if s.array && isName(meant) {
			r.doubt[s.name] = true
		}
	} else {
		hint = whereTo(s, name)
	}
	r.problems.add(v.name(), "unknown key", hint)
}

// isName reports whether others refer to an element of an array by this key.
func isName(key string) bool { return key == "name" || key == "address" || key == "aliases" }
