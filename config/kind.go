package config

import (
	"fmt"
	"strconv"
	"time"
)

// A kind is what a key takes: in words, for the reference, and how it is read.
type kind struct {
	takes  string
	schema schema
	read   func(r *reader, v value)
}

// text is any string; set gets it, and adds what is wrong with it.
func text(takes string, set func(r *reader, v value, s string)) kind {
	return kind{takes, schema{"type": "string"}, func(r *reader, v value) {
		if s, ok := v.data.(string); ok {
			set(r, v, s)
			return
		}
		hint := "write it in quotes"
		switch v.data.(type) {
		case []any, []map[string]any, map[string]any:
			hint = ""
		}
		r.problems.add(v.place(), "must be a string, not "+v.typeName(), hint)
	}}
}

// list is an array of strings; set gets each of them. begin gets the list before, also an
// empty one.
func list(takes string, begin func(r *reader, v value, length int), set func(r *reader, v value, s string)) kind {
	one := text("", set)
	return kind{"a list of " + takes, schema{"type": "array", "items": schema{"type": "string"}}, func(r *reader, v value) {
		elements, ok := v.data.([]any)
		if !ok {
			hint := ""
			if s, ok := v.data.(string); ok {
				hint = "write [" + quote(s) + "]"
			}
			r.problems.add(v.place(), "must be a list of strings, not "+v.typeName(), hint)
			return
		}
		begin(r, v, len(elements))
		for i, data := range elements {
			element := v.element(i, i, data)
			r.said[element.path] = element
			one.read(r, element)
		}
	}}
}

// An option is one of the words that a choice knows, and what it means.
type option[T any] struct {
	word  string
	means T
}

// choice is one of a few words.
func choice[T any](at func(r *reader) *T, options ...option[T]) kind {
	var words []string
	for _, o := range options {
		words = append(words, o.word)
	}
	k := text(anyOf(words), func(r *reader, v value, s string) {
		for _, o := range options {
			if s == o.word {
				*at(r) = o.means
				return
			}
		}
		r.problems.add(v.place(), fmt.Sprintf("%s is not %s", quote(s), anyOf(words)), didYouMean(s, words))
	})
	k.schema = schema{"enum": words}
	return k
}

// toggle is a boolean.
func toggle(at func(r *reader) *bool) kind {
	return kind{"true or false", schema{"type": "boolean"}, func(r *reader, v value) {
		b, ok := v.data.(bool)
		if !ok {
			hint := "write true or false, without quotes"
			if v.data == "true" || v.data == "false" {
				hint = fmt.Sprintf("write %s without quotes", v.data)
			}
			r.problems.add(v.place(), "must be true or false, not "+v.typeName(), hint)
			return
		}
		*at(r) = b
	}}
}

// count is a number of things.
func count[T int | int64](least, most T, at func(r *reader) *T) kind {
	limits := schema{"type": "integer", "minimum": least, "maximum": most}
	return kind{fmt.Sprintf("a number, %d to %d", least, most), limits, func(r *reader, v value) {
		n, ok := v.data.(int64)
		if !ok {
			hint := ""
			if s, ok := v.data.(string); ok && isDigits(s) && len(s) < 20 {
				hint = "write " + s + " without quotes"
			}
			r.problems.add(v.place(), "must be a whole number, not "+v.typeName(), hint)
			return
		}
		if within(r, v, n, int64(least), int64(most), func(n int64) string { return strconv.FormatInt(n, 10) }) {
			*at(r) = T(n)
		}
	}}
}

// size is a number of octets, with a unit or plain.
func size(least, most int64, at func(r *reader) *int64) kind {
	forms := schema{"anyOf": []schema{
		{"type": "integer", "minimum": least, "maximum": most},
		{"type": "string", "pattern": "^[0-9]+(KiB|MiB|GiB|TiB)?$"},
	}}
	return kind{fmt.Sprintf("a size, %s to %s", formatSize(least), formatSize(most)), forms, func(r *reader, v value) {
		var n int64
		switch data := v.data.(type) {
		case int64:
			n = data
		case string:
			parsed, err := parseSize(data)
			if err != nil {
				r.problems.refuse(v.place(), err)
				return
			}
			n = parsed
		default:
			r.problems.add(v.place(), "must be a size, not "+v.typeName(), `write "50MiB", or a whole number of octets`)
			return
		}
		if n < 0 {
			r.problems.add(v.place(), "must not be negative", "")
			return
		}
		if within(r, v, n, least, most, formatSize) {
			*at(r) = n
		}
	}}
}

// duration is a time with its unit.
func duration(least, most time.Duration, at func(r *reader) *time.Duration) kind {
	takes := fmt.Sprintf("a duration, %s to %s", formatDuration(least), formatDuration(most))
	form := schema{"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(h|m|s|ms))+$"}
	return kind{takes, form, func(r *reader, v value) {
		switch data := v.data.(type) {
		case string:
			d, err := parseDuration(data)
			if err != nil {
				r.problems.refuse(v.place(), err)
				return
			}
			format := func(n int64) string { return formatDuration(time.Duration(n)) }
			if within(r, v, int64(d), int64(least), int64(most), format) {
				*at(r) = d
			}
		case int64:
			hint := `write "5m"`
			if data > 0 {
				hint = fmt.Sprintf(`write "%ds"`, data)
			}
			r.problems.add(v.place(), "must be a string with a unit", hint)
		default:
			r.problems.add(v.place(), "must be a duration, not "+v.typeName(), `write "5m"`)
		}
	}}
}

// within reports whether n is, and adds a problem where it is not.
func within(r *reader, v value, n, least, most int64, format func(int64) string) bool {
	switch {
	case n < least:
		r.problems.add(v.place(), "must be at least "+format(least), "")
	case n > most:
		r.problems.add(v.place(), "must be at most "+format(most), "")
	}
	return n >= least && n <= most
}

// didYouMean is the hint for a word that is none of the candidates.
func didYouMean(word string, candidates []string) string {
	if meant := closest(word, candidates); meant != "" {
		return "did you mean " + strconv.Quote(meant) + "?"
	}
	return ""
}
