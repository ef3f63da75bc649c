package house

import (
	"maps"
	"slices"
)

// dependencies returns, for each file of a package, the other files whose declarations it uses: functions, types,
// methods, fields, variables and constants.
func dependencies(c *checked) map[string]map[string]bool {
	uses := map[string]map[string]bool{}
	for _, f := range c.files {
		uses[c.file(f.Pos())] = map[string]bool{}
	}
	for ident, object := range c.info.Uses {
		if object.Pkg() != c.pkg || !object.Pos().IsValid() {
			continue
		}
		from, to := c.file(ident.Pos()), c.file(object.Pos())
		if from != to {
			uses[from][to] = true
		}
	}
	return uses
}

// largestKnot returns the largest strongly connected set of files, in order of their names. Of two of one size it
// is the one with the name that comes first.
func largestKnot(uses map[string]map[string]bool) []string {
	var largest []string
	for _, file := range slices.Sorted(maps.Keys(uses)) {
		if slices.Contains(largest, file) {
			continue
		}
		knot := []string{file}
		for other := range reached(uses, file) {
			if other != file && reached(uses, other)[file] {
				knot = append(knot, other)
			}
		}
		if len(knot) > len(largest) {
			slices.Sort(knot)
			largest = knot
		}
	}
	return largest
}

// reached returns the files that a file depends on, directly or through others.
func reached(uses map[string]map[string]bool, from string) map[string]bool {
	seen := map[string]bool{}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for file := range uses[queue[0]] {
			if !seen[file] {
				seen[file] = true
				queue = append(queue, file)
			}
		}
	}
	return seen
}
