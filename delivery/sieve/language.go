package sieve

import (
	"maps"
	"slices"
	"strings"
)

// A language is what a script may write: the base, and the extensions that it requires.
type language struct {
	registry    []*Extension
	allowed     func(*Extension) bool
	active      map[string]bool // capabilities
	definitions map[string]*Definition
	tags        map[string][]Tag // by definition
	comparators []*Comparator
	matches     []*MatchType
	parts       []*AddressPart
	modifiers   []*Modifier
}

// newLanguage is the base.
func newLanguage(registry []*Extension, allowed func(*Extension) bool) *language {
	l := &language{
		registry: registry, allowed: allowed,
		active: map[string]bool{}, definitions: map[string]*Definition{}, tags: map[string][]Tag{},
	}
	l.activate("")
	return l
}

// find returns an extension that is there, allowed or not.
func (l *language) find(name string) *Extension {
	for _, e := range l.registry {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// has reports whether an extension is there, and allowed.
func (l *language) has(name string) bool {
	e := l.find(name)
	return e != nil && l.allowed(e)
}

// activate makes what an extension has part of the language, and reports whether it may be.
func (l *language) activate(name string) bool {
	if !l.has(name) {
		return false
	}
	if l.active[name] {
		return true
	}
	e := l.find(name)
	l.active[name] = true
	for _, d := range e.Definitions {
		l.definitions[d.Name] = d
	}
	for name, tags := range e.Tags {
		l.tags[name] = append(l.tags[name], tags...)
	}
	l.comparators = append(l.comparators, e.Comparators...)
	l.matches = append(l.matches, e.Matches...)
	l.parts = append(l.parts, e.Parts...)
	l.modifiers = append(l.modifiers, e.Modifiers...)
	for _, implied := range e.Implies {
		l.activate(implied)
	}
	return true
}

// rival returns an extension that is active and may not be beside another one; empty if there is none.
func (l *language) rival(name string) string {
	for _, e := range l.registry {
		if !l.active[e.Name] || e.Name == name {
			continue
		}
		other := l.find(name)
		if slices.Contains(e.Excludes, name) || other != nil && slices.Contains(other.Excludes, e.Name) {
			return e.Name
		}
	}
	return ""
}

// unmet returns the capabilities that are required and of no use without others, with what they want.
func (l *language) unmet() (pairs [][2]string) {
	for _, e := range l.registry {
		for _, wanted := range e.Wants {
			if l.active[e.Name] && !l.active[wanted] {
				pairs = append(pairs, [2]string{e.Name, wanted})
			}
		}
	}
	return pairs
}

// offered returns a capability that has a command or test and is not active; empty if there is none.
func (l *language) offered(name string) string {
	for _, e := range l.registry {
		for _, d := range e.Definitions {
			if d.Name == name && !l.active[e.Name] {
				return e.Name
			}
		}
	}
	return ""
}

// hint says which capability has an unknown command or test, or which one is spelled like it.
func (l *language) hint(name, kind string) string {
	if capability := l.offered(name); capability != "" {
		return l.wanted(capability)
	}
	for _, known := range slices.Sorted(maps.Keys(l.definitions)) {
		if (kind == "command") == (l.definitions[known].Command != nil) && isLike(known, name) {
			return "did you mean " + known + "?"
		}
	}
	if name == "else" || strings.HasPrefix(name, "elseif") {
		return "did you mean elsif?"
	}
	return ""
}

// wanted is the hint for what a capability has that is not active.
func (l *language) wanted(capability string) string {
	if !l.has(capability) {
		return "it is of the extension " + capability + ", which is not allowed here"
	}
	return `add: require "` + capability + `";`
}

// isLike reports whether two names differ in a letter that is missing, too many, or another.
func isLike(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(a) < 3 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return a[min(i+1+len(a)-len(b), len(a)):] == b[min(i+1, len(b)):]
}
