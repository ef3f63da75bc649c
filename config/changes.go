package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// A Change is something that two configurations say differently.
type Change struct {
	// What names it: `limits.message_size`, `user "bob@example.org".quota`, or a whole element with
	// what became of it: `user "bob@example.org" (new)`. It has no value, which may be a secret.
	What string
	// Restart says that a server reads it only when it starts.
	Restart bool
}

// Changes says in what the files of c and of a later configuration differ, sorted. Elements of
// arrays are told apart by the key that names them, wherever they stand.
func (c *Config) Changes(after *Config) (list []Change) {
	before, now := byTable(c.said), byTable(after.said)
	for t := range union(before, now) {
		s := sectionNamed(t.section)
		if s == nil {
			s = &sections[0]
		}
		_, was := before[t]
		_, is := now[t]
		switch {
		case t.element != "" && !was:
			list = append(list, Change{t.String() + " (new)", s.named().restart})
		case t.element != "" && !is:
			list = append(list, Change{t.String() + " (gone)", s.named().restart})
		default:
			for name := range union(before[t], now[t]) {
				if before[t][name] == now[t][name] {
					continue
				}
				what := strings.TrimPrefix(t.String()+"."+name, ".")
				k := s.key(name)
				list = append(list, Change{what, k != nil && k.restart})
			}
		}
	}
	slices.SortFunc(list, func(a, b Change) int { return cmp.Compare(a.What, b.What) })
	return list
}

// A table is what keys stand in: the document, a section, or an element of an array of tables.
type table struct{ section, element string }

func (t table) String() string { return strings.TrimSuffix(t.section+" "+t.element, " ") }

// byTable sorts what the files say, by its path, into tables.
func byTable(said map[string]string) map[table]map[string]string {
	tables := map[table]map[string]string{}
	labels := labels(said)
	for path, text := range said {
		var t table
		element, name, isElement := strings.Cut(path, "].")
		section, _, _ := strings.Cut(element, "[")
		switch {
		case isElement:
			t = table{section, labels[element]}
		case strings.Contains(path, "."):
			t.section, name, _ = strings.Cut(path, ".")
		default:
			name = path
		}
		if tables[t] == nil {
			tables[t] = map[string]string{}
		}
		tables[t][name] = text
	}
	return tables
}

// labels are the names of the elements of arrays, by their path without its last bracket. Those that
// have the same name, such as directories with one driver, are numbered too.
func labels(said map[string]string) map[string]string {
	names, twice := map[string]string{}, map[string]int{}
	for path := range said {
		element, _, isElement := strings.Cut(path, "].")
		if !isElement || names[element] != "" {
			continue
		}
		section, index, _ := strings.Cut(element, "[")
		names[element] = "#" + index
		if s := sectionNamed(section); s != nil && said[element+"]."+s.named().name] != "" {
			names[element] = said[element+"]."+s.named().name]
		}
		twice[section+names[element]]++
	}
	for element, name := range names {
		if section, index, _ := strings.Cut(element, "["); twice[section+name] > 1 {
			names[element] = name + " #" + index
		}
	}
	return names
}

func union[K comparable, V any](a, b map[K]V) map[K]V {
	all := maps.Clone(a)
	if all == nil {
		all = map[K]V{}
	}
	maps.Copy(all, b)
	return all
}

// named is the key that names an element of s; the zero key where none does.
func (s *section) named() key {
	for _, k := range s.keys {
		if k.required {
			return k
		}
	}
	return key{}
}
