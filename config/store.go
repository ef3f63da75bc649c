package config

import (
	"path/filepath"
	"slices"
	"strings"
)

// placeholders are what store.path can hold.
var placeholders = []string{"domain", "local", "home"}

// Root returns the directory that all mailboxes are below: Path up to its first
// placeholder. It is "" where Path begins with {home}.
func (s Store) Root() string {
	fixed, _, _ := strings.Cut(s.Path, "{")
	if fixed == "" {
		return ""
	}
	// What stands before the placeholder in the same component is part of a name.
	return filepath.Clean(fixed[:strings.LastIndexByte(fixed, '/')+1])
}

func readStorePath(r *reader, v value, s string) {
	if s == "" {
		r.problems.add(v.place(), "the path is empty", "")
		return
	}
	names, err := templateNames(s)
	if err != nil {
		r.problems.refuse(v.place(), err)
		return
	}
	if !slices.Contains(names, "local") && !slices.Contains(names, "home") {
		r.problems.add(v.place(), "would give all accounts one Maildir", "it must contain {local} or {home}")
		return
	}
	if home := strings.LastIndex(s, "{home}"); home > 0 {
		r.problems.add(v.place(), "{home} is an absolute path and can only begin the path", "")
		return
	}
	if strings.HasPrefix(s, "{home}") {
		r.config.Store.Path = filepath.Clean(s)
		return
	}
	if path, ok := r.absolute(v, s); ok {
		r.config.Store.Path = path
	}
}

// templateNames returns the placeholders in a template.
func templateNames(s string) ([]string, error) {
	var names []string
	for rest := s; ; {
		before, after, found := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return nil, fault{text: "} without {"}
		}
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fault{text: "{ without }"}
		}
		if !slices.Contains(placeholders, name) {
			hint := "{domain}, {local} or {home}"
			if meant := closest(name, placeholders); meant != "" {
				hint = "did you mean {" + meant + "}?"
			}
			return nil, fault{"unknown placeholder " + quote("{"+name+"}"), hint}
		}
		names = append(names, name)
		rest = behind
	}
	// A placeholder must not vanish when the path is cleaned.
	if _, behind, found := strings.Cut(s, "{"); found && slices.Contains(strings.Split(behind, "/"), "..") {
		return nil, fault{text: `".." behind a placeholder`}
	}
	return names, nil
}

func readHome(r *reader, v value, s string) {
	if path, ok := r.absolute(v, s); ok {
		r.user.Home = path
	}
}

// absolute resolves a path against the directory of the file that says it.
func (r *reader) absolute(v value, s string) (string, bool) {
	switch {
	case s == "":
		r.problems.add(v.place(), "the path is empty", "")
		return "", false
	case strings.ContainsRune(s, 0):
		r.problems.add(v.place(), "the path contains a NUL", "")
		return "", false
	case strings.HasPrefix(s, "~"):
		r.problems.add(v.place(), "~ has no meaning here", "write the whole path")
		return "", false
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(v.doc.directory, s)
	}
	return filepath.Clean(s), true
}
