package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Where returns the file and line that say a key, named as Settings does; "" for a default.
func (c *Config) Where(key string) string { return c.from[key] }

// sayings are the values of all keys that the files say, as text, and where they stand.
func (r *reader) sayings() (texts, from map[string]string) {
	texts, from = map[string]string{}, map[string]string{}
	for path, v := range r.said {
		switch data := v.data.(type) {
		case map[string]any, []map[string]any: // what is below speaks for itself
			continue
		case string:
			if strings.HasSuffix(path, "]") {
				continue // it is of a list, which is there as a whole
			}
			texts[path] = strconv.Quote(data)
		case []any:
			items := make([]string, len(data))
			for i, item := range data {
				items[i] = fmt.Sprintf("%q", fmt.Sprint(item))
			}
			texts[path] = "[" + strings.Join(items, ", ") + "]"
		default:
			texts[path] = fmt.Sprint(data)
		}
		from[path] = v.place().String()
	}
	return texts, from
}
