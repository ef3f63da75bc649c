package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Setting is a key that is in force, as the configuration would have it written.
type Setting struct {
	Key   string `json:"key"`   // "limits.recipients", "listen[0].address"
	Value string `json:"value"` // in TOML
	// Default is set where no file says it.
	Default bool `json:"default,omitempty"`
}

// redacted stands in place of a secret.
const redacted = `"(not shown)"`

// Settings are all keys in force in the order of the reference: those that files say, and the
// defaults of the others. Secrets are left out.
func (c *Config) Settings() []Setting { return slices.Clone(c.settings) }

// settings collects what was said, and the defaults.
func (r *reader) settings() (list []Setting) {
	for i := range sections {
		s := &sections[i]
		if !s.array {
			for _, k := range s.keys {
				list = append(list, r.setting(s.path(k), k)...)
			}
			continue
		}
		for n := 0; ; n++ {
			element := fmt.Sprintf("%s[%d]", s.name, n)
			if _, said := r.said[element]; !said {
				break
			}
			for _, k := range s.keys {
				list = append(list, r.setting(element+"."+k.name, k)...)
			}
		}
	}
	return list
}

// setting is what counts for a key, or nothing where it is not set and has no default.
func (r *reader) setting(path string, k key) []Setting {
	v, said := r.said[path]
	switch {
	case said && k.isSecret():
		return []Setting{{Key: path, Value: redacted}}
	case said:
		return []Setting{{Key: path, Value: literal(v.data)}}
	case k.fallback != "":
		return []Setting{{Key: path, Value: k.fallback, Default: true}}
	}
	return nil
}

// isSecret tells by the name: what holds a secret is called so, or may have one in it, as the
// address of a database has. A file's path is none.
func (k key) isSecret() bool {
	if strings.HasSuffix(k.name, "_file") {
		return false
	}
	return slices.ContainsFunc(strings.Split(k.name, "_"), func(word string) bool { // max_connections is none
		return slices.Contains([]string{"password", "secret", "token", "dsn", "url", "uri", "connect"}, word)
	})
}

// literal writes a value in TOML.
func literal(data any) string {
	switch data := data.(type) {
	case string:
		return quote(data)
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
