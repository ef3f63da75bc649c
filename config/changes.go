package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/internal/table"
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
	before, now := byTable(c.origin.texts), byTable(after.origin.texts)
	for t := range union(before, now) {
		s := sectionNamed(t.section)
		_, was := before[t]
		_, is := now[t]
		switch {
		case t.element != "" && !was:
			list = append(list, Change{t.String() + " (new)", s.Naming().Restart})
		case t.element != "" && !is:
			list = append(list, Change{t.String() + " (gone)", s.Naming().Restart})
		default:
			for name := range union(before[t], now[t]) {
				if before[t][name] == now[t][name] {
					continue
				}
				what := strings.TrimPrefix(t.String()+"."+name, ".")
				k := s.Row(name)
				list = append(list, Change{what, k != nil && k.Restart})
			}
		}
	}
	slices.SortFunc(list, func(a, b Change) int { return cmp.Compare(a.What, b.What) })
	return list
}

// A place is what keys stand in: the document, a section, or an element of an array of tables.
type place struct{ section, element string }

func (t place) String() string { return strings.TrimSuffix(t.section+" "+t.element, " ") }

// byTable sorts what the files say, by its path, into tables.
func byTable(texts map[string]string) map[place]map[string]string {
	tables := map[place]map[string]string{}
	labels := labels(texts)
	for path, text := range texts {
		var t place
		element, name, isElement := strings.Cut(path, "].")
		section, _, _ := strings.Cut(element, "[")
		switch {
		case isElement:
			t = place{section, labels[element]}
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
func labels(texts map[string]string) map[string]string {
	names, count := map[string]string{}, map[string]int{}
	for path := range texts {
		element, _, isElement := strings.Cut(path, "].")
		if !isElement || names[element] != "" {
			continue
		}
		section, index, _ := strings.Cut(element, "[")
		names[element] = "#" + index
		if name := texts[element+"]."+sectionNamed(section).Naming().Name]; name != "" {
			names[element] = name
		}
		count[section+names[element]]++
	}
	for element, name := range names {
		if section, index, _ := strings.Cut(element, "["); count[section+name] > 1 {
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

// sectionNamed returns the section of a name; the document itself if there is none.
func sectionNamed(name string) *table.Description {
	for i := range sections {
		if sections[i].Name == name {
			return &sections[i].Description
		}
	}
	return &sections[0].Description
}
