package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// An origin is where a configuration comes from.
type origin struct {
	files   []string // that were read
	entries []entry
	where   map[string]string  // file:line of the keys that files set
	places  map[string]Problem // of the values that CheckSystem checks
}

// An entry is a key that is in force.
type entry struct {
	Setting
	section *table.Description
	index   int // of the table in an array
	row     *table.Row
	text    string // what the file says, in full; "" for a default
}

// newOrigin remembers what later questions need of the input.
func newOrigin(r *table.Reader[Config], files []string) origin {
	o := origin{files: files, where: map[string]string{}, places: systemPlaces(&r.Input)}
	for _, e := range r.Entries() {
		kept := entry{section: e.Section, index: e.Index, row: e.Row} // but not the Value, which has every octet of a file
		kept.Setting = Setting{Key: e.Path, Value: e.Row.Default, Default: true}
		if v := e.Value; v != nil {
			kept.Setting = Setting{Key: e.Path, Value: redacted}
			if !isSecret(e.Row.Name) {
				kept.Value = literal(v.Data, hint.Quote)
			}
			kept.text, o.where[e.Path] = literal(v.Data, strconv.Quote), v.Where()
		}
		o.entries = append(o.entries, kept)
	}
	return o
}

// redacted stands in place of a secret.
const redacted = `"(not shown)"`

// literal writes a value in TOML.
func literal(data any, quote func(string) string) string {
	switch data := data.(type) {
	case string:
		return quote(data)
	case []any:
		var parts []string
		for _, element := range data {
			parts = append(parts, literal(element, quote))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case time.Time:
		return data.Format(time.RFC3339)
	case map[string]any, []map[string]any:
		return "{…}"
	}
	return fmt.Sprint(data)
}

// Where returns the file and line that set a key, named as Settings does; "" for a default.
func (c *Config) Where(key string) string { return c.origin.where[key] }

// Place returns a Problem that has no text yet, of the value at a key of the tables that CheckSystem looks at, such as
// "listen[0].address". Of a key that no file sets it is the place of its table.
func (c *Config) Place(key string) Problem {
	p, set := c.origin.places[key]
	if !set {
		section, _, _ := strings.Cut(key, ".")
		p = c.origin.places[section]
	}
	if p.File == "" {
		p.File = c.origin.files[0]
	}
	p.Key = key
	return p
}

// ReadFrom returns the files that the configuration was read from.
func (c *Config) ReadFrom() []string { return slices.Clone(c.origin.files) }

// Files returns the files that the configuration was read from and those that it names, for what a server must be able
// to read.
func (c *Config) Files() []string {
	named := []string{c.TLS.Certificate, c.TLS.Key, c.TLS.ClientCA, c.Auth.PasswdFile, c.Admin.TokenFile,
		c.Submission.CA, c.Submission.PasswordFile, c.State.Database.PasswordFile, c.State.Database.TLSCA}
	for _, d := range c.Directories {
		named = append(named, d.File, d.Database.PasswordFile, d.Database.TLSCA)
	}
	named = slices.DeleteFunc(named, func(file string) bool { return file == "" })
	files := slices.Concat(c.origin.files, named)
	for i, file := range files {
		if absolute, err := filepath.Abs(file); err == nil {
			files[i] = absolute
		}
	}
	return files
}

// A Setting is a key that is in force, as the configuration would have it written.
type Setting struct {
	Key   string `json:"key"`   // "limits.recipients", "listen[0].address"
	Value string `json:"value"` // in TOML
	// Default is set if no file sets the key.
	Default bool `json:"default,omitempty"`
}

// Settings are all keys in force in the order of the reference: those that files set, and the defaults of the others.
// Secrets are left out.
func (c *Config) Settings() (list []Setting) {
	for _, e := range c.origin.entries {
		list = append(list, e.Setting)
	}
	return list
}

// isSecret tells by the name of a key: what holds a secret is called so, or may have one in it, as the address of a
// database has. A file's path is none.
func isSecret(key string) bool {
	if strings.HasSuffix(key, "_file") {
		return false
	}
	return slices.ContainsFunc(strings.Split(key, "_"), func(word string) bool { // max_connections is none
		return slices.Contains([]string{"password", "secret", "token", "url", "uri", "connect"}, word)
	})
}
