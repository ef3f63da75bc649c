package config

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A Change is something that two configurations say differently.
type Change struct {
	// What names it: `limits.message_size`, `user "bob@example.org".quota`, or a whole element with what became of it:
	// `user "bob@example.org" (new)`. It has no value, which may be a secret.
	What string
	// Restart says that a server reads it only when it starts.
	Restart bool
}

// Changes says in what the files of c and of a later configuration differ, sorted. Elements of arrays are matched by
// the key that names them, wherever they stand.
func (c *Config) Changes(after *Config) (list []Change) {
	before, now := byTable(c.origin.entries), byTable(after.origin.entries)
	for at := range union(before, now) {
		_, was := before[at]
		_, is := now[at]
		switch {
		case at.element != "" && !was:
			list = append(list, Change{at.String() + " (new)", at.section.Naming().Restart})
		case at.element != "" && !is:
			list = append(list, Change{at.String() + " (gone)", at.section.Naming().Restart})
		default:
			for row := range union(before[at], now[at]) {
				if before[at][row] != now[at][row] {
					list = append(list, Change{strings.TrimPrefix(at.String()+"."+row.Name, "."), row.Restart})
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b Change) int { return cmp.Compare(a.What, b.What) })
	return list
}

// A place is what keys stand in: the document, a section, or an element of an array of tables.
type place struct {
	section *table.Description
	element string
}

func (p place) String() string { return strings.TrimSuffix(p.section.Name+" "+p.element, " ") }

// byTable sorts what the files set into tables. An element of an array has the label of the key that names it. Those
// that have the same label, such as directories with one driver, are numbered too.
func byTable(entries []entry) map[place]map[*table.Row]string {
	type element struct {
		section *table.Description
		index   int
	}
	labels, count := map[element]string{}, map[place]int{}
	for _, e := range entries {
		at := element{e.section, e.index}
		if _, seen := labels[at]; seen || e.Default || !e.section.Array {
			continue
		}
		labels[at] = "#" + strconv.Itoa(e.index)
		if e.row.Name == e.section.Naming().Name { // which comes first
			labels[at] = e.text
		}
		count[place{e.section, labels[at]}]++
	}
	tables := map[place]map[*table.Row]string{}
	for _, e := range entries {
		if e.Default {
			continue
		}
		at := place{e.section, labels[element{e.section, e.index}]}
		if count[at] > 1 {
			at.element += " #" + strconv.Itoa(e.index)
		}
		if tables[at] == nil {
			tables[at] = map[*table.Row]string{}
		}
		tables[at][e.row] = e.text
	}
	return tables
}

func union[K comparable, V any](a, b map[K]V) map[K]V {
	all := map[K]V{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}
