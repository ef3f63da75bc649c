package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads the configuration file at path and the conf.d/*.toml beside it, in the order
// of their names. Arrays of tables add up over the files; a key that is no part of an array
// is said once.
//
// All problems come back at once, in reading order (at most 1000 of them). The Config can
// be used only where none of them is more than a warning (HasErrors). The error says that
// the file itself cannot be read.
func Load(path string) (*Config, []Problem, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	directory, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, nil, fmt.Errorf("resolve %s: %w", path, err)
	}
	r := newReader()
	main, whole := r.load(path, directory, text)
	files := []string{path}

	parts, err := filepath.Glob(filepath.Join(escapeGlob(filepath.Dir(path)), "conf.d", "*.toml"))
	if err != nil {
		return nil, nil, fmt.Errorf("list conf.d beside %s: %w", path, err)
	}
	slices.Sort(parts)
	for _, part := range parts {
		files = append(files, part)
		text, err := readPart(part)
		if err != nil {
			r.problems.add(place{&document{file: part}, -1, ""}, err.Error(), "")
			whole = false
			continue
		}
		_, ok := r.load(part, filepath.Join(directory, "conf.d"), text)
		whole = whole && ok
	}
	// Nothing can be concluded from what is missing where a file could not be read.
	if whole {
		r.check(main)
	}
	r.config.settings = r.settings()
	r.config.files = files
	r.config.places = r.systemPlaces(main)
	r.config.said, r.config.from = r.sayings()
	c := r.config // without the reader, which still knows every octet of the files
	return &c, r.problems.inOrder(files), nil
}

// load reads the text of one file, and reports whether its syntax is right.
func (r *reader) load(file, directory, text string) (*document, bool) {
	d, values := parse(file, text, &r.problems)
	d.directory = directory
	if values == nil {
		return d, false
	}
	r.document(d, values)
	return d, true
}

// check completes the configuration and checks what its parts say of one another.
func (r *reader) check(main *document) {
	r.defaults()
	r.machine(main)
	for _, p := range r.problems {
		r.doubtNames(p)
	}
	r.checkListeners(main)
	r.checkAdmin()
	r.checkTLS()
	r.checkDirectories()
	r.checkAccounts(main)
	r.checkRules()
	r.checkDetails()
	r.checkOwners()
}

// doubtNames notes the sections where a name could not be read: that another refers to it
// in vain is no problem of its own.
func (r *reader) doubtNames(p Problem) {
	section, rest, element := strings.Cut(p.Key, "[")
	if p.Warning || !element {
		return
	}
	_, name, _ := strings.Cut(rest, "].")
	name, _, _ = strings.Cut(name, "[")
	if s := sectionNamed(section); s != nil && (name == "" || isName(name)) {
		r.doubt[section] = true
	}
}

// checkedOnSystem are the beginnings of the keys that CheckSystem checks.
var checkedOnSystem = []string{"quota.", "listen[", "tls.", "auth.", "store.", "user[", "directory[", "admin."}

// systemPlaces returns where the values stand that CheckSystem checks.
func (r *reader) systemPlaces(main *document) map[string]Problem {
	places := map[string]Problem{}
	for _, key := range []string{"store.path", "store.user", "store.group"} { // whether said or not
		places[key] = place{main, -1, key}.problem()
	}
	for path, v := range r.said {
		if strings.HasPrefix(path, "user[") && strings.HasSuffix(path, "]") {
			continue // an alias: there may be many, and no machine has a say in them
		}
		if slices.ContainsFunc(checkedOnSystem, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			places[path] = v.place().problem()
		}
	}
	return places
}

// readFile reads a file of bounded size.
func readFile(path string) (text string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("%s is larger than %s", path, formatSize(maxFile))
	}
	return string(b), nil
}

// readPart is readFile for conf.d, where a pipe or a device can only be a mistake.
func readPart(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	return readFile(path)
}

// escapeGlob makes a pattern that matches path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
