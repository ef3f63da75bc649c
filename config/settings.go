package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config/internal/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// An origin is where a configuration comes from.
type origin struct {
	files    []string // that were read
	settings []Setting
	texts    map[string]string  // what the files set, by path, for Changes
	where    map[string]string  // as file:line
	places   map[string]Problem // of the values that CheckSystem checks
}

// newOrigin remembers what later questions need of the input, which has every octet of the files.
func newOrigin(in *table.Input, files []string) origin {
	o := origin{files: files, texts: map[string]string{}, where: map[string]string{}}
	o.settings = settings(in)
	o.places = systemPlaces(in)
	for path, v := range in.Values() {
		if text, ok := textOf(path, v); ok {
			o.texts[path], o.where[path] = text, v.Where()
		}
	}
	return o
}

// textOf returns the value of a key as text; false for a table, and for an element of a list, which counts as a whole.
func textOf(path string, v *table.Value) (string, bool) {
	switch data := v.Data.(type) {
	case map[string]any, []map[string]any:
		return "", false
	case string:
		return strconv.Quote(data), !strings.HasSuffix(path, "]")
	case []any:
		items := make([]string, len(data))
		for i, item := range data {
			items[i] = fmt.Sprintf("%q", fmt.Sprint(item))
		}
		return "[" + strings.Join(items, ", ") + "]", true
	default:
		return fmt.Sprint(data), true
	}
}

// Where returns the file and line that set a key, named as Settings does; "" for a default.
func (c *Config) Where(key string) string { return c.origin.where[key] }

// Files returns the files that the configuration was read from and those that it names, for what a server must be able
// to read.
func (c *Config) Files() []string {
	named := []string{c.TLS.Certificate, c.TLS.Key, c.TLS.ClientCA, c.Auth.PasswdFile, c.Admin.TokenFile}
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
func (c *Config) Settings() []Setting { return slices.Clone(c.origin.settings) }

// settings collects what was set, and the defaults.
func settings(in *table.Input) (list []Setting) {
	for _, s := range sections {
		if !s.Array {
			for _, k := range s.Rows {
				list = append(list, setting(s.Path(k.Name), k, in.Value(s.Path(k.Name)))...)
			}
			continue
		}
		for i := 0; in.Element(s.Name, i).Self() != nil; i++ {
			t := in.Element(s.Name, i)
			for _, k := range s.Rows {
				list = append(list, setting(t.Path+"."+k.Name, k, t.Value(k.Name))...)
			}
		}
	}
	return list
}

// redacted stands in place of a secret.
const redacted = `"(not shown)"`

// setting is what counts for a key, or nothing if it is not set and has no default.
func setting(path string, k table.Row, v *table.Value) []Setting {
	switch {
	case v != nil && isSecret(k.Name):
		return []Setting{{Key: path, Value: redacted}}
	case v != nil:
		return []Setting{{Key: path, Value: literal(v.Data)}}
	case k.Default != "":
		return []Setting{{Key: path, Value: k.Default, Default: true}}
	}
	return nil
}

// isSecret tells by the name of a key: what holds a secret is called so, or may have one in it, as the address of a
// database has. A file's path is none.
func isSecret(key string) bool {
	if strings.HasSuffix(key, "_file") {
		return false
	}
	return slices.ContainsFunc(strings.Split(key, "_"), func(word string) bool { // max_connections is none
		return slices.Contains([]string{"password", "secret", "token", "dsn", "url", "uri", "connect"}, word)
	})
}

// literal writes a value in TOML.
func literal(data any) string {
	switch data := data.(type) {
	case string:
		return hint.Quote(data)
	case []any:
		var parts []string
		for _, element := range data {
			parts = append(parts, literal(element))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case time.Time:
		return data.Format(time.RFC3339)
	case map[string]any, []map[string]any:
		return "{…}"
	}
	return fmt.Sprint(data)
}
