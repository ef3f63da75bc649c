package table

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Count is a number of things.
func Count[T any, N int | int64](least, most N, at func(*T) *N) Kind[T] {
	limits := Schema{"type": "integer", "minimum": least, "maximum": most}
	return Kind[T]{fmt.Sprintf("a number, %d to %d", least, most), limits, func(to *T, v *Value) {
		n, ok := v.Data.(int64)
		if !ok {
			suggestion := ""
			if s, ok := v.Data.(string); ok && isDigits(s) && len(s) < 20 {
				suggestion = "write " + s + " without quotes"
			}
			v.Add("must be a whole number, not "+v.Type(), suggestion)
			return
		}
		decimal := func(n int64) string { return strconv.FormatInt(n, 10) }
		if v.within(n, int64(least), int64(most), decimal) {
			*at(to) = N(n)
		}
	}}
}

// Size is a number of octets, with a unit or plain.
func Size[T any](least, most int64, at func(*T) *int64) Kind[T] {
	forms := Schema{"anyOf": []Schema{
		{"type": "integer", "minimum": least, "maximum": most},
		{"type": "string", "pattern": "^[0-9]+(KiB|MiB|GiB|TiB)$"},
	}}
	takes := fmt.Sprintf("a size, %s to %s", FormatSize(least), FormatSize(most))
	return Kind[T]{takes, forms, func(to *T, v *Value) {
		var n int64
		switch data := v.Data.(type) {
		case int64:
			n = data
		case string:
			parsed, err := parseSize(data)
			if err != nil {
				v.Refuse(err)
				return
			}
			n = parsed
		default:
			v.Add("must be a size, not "+v.Type(), `write "50MiB", or a whole number of octets`)
			return
		}
		if n < 0 {
			v.Add("must not be negative", "")
			return
		}
		if v.within(n, least, most, FormatSize) {
			*at(to) = n
		}
	}}
}

// Duration is a time with its unit.
func Duration[T any](least, most time.Duration, at func(*T) *time.Duration) Kind[T] {
	format := func(n int64) string { return formatDuration(time.Duration(n)) }
	takes := fmt.Sprintf("a duration, %s to %s", formatDuration(least), formatDuration(most))
	form := Schema{"type": "string", "pattern": durationForm}
	return Kind[T]{takes, form, func(to *T, v *Value) {
		switch data := v.Data.(type) {
		case string:
			d, err := parseDuration(data)
			if err != nil {
				v.Refuse(err)
			} else if v.within(int64(d), int64(least), int64(most), format) {
				*at(to) = d
			}
		case int64:
			suggestion := `write "5m"`
			if data > 0 {
				suggestion = fmt.Sprintf(`write "%ds"`, data)
			}
			v.Add("must be a string with a unit", suggestion)
		default:
			v.Add("must be a duration, not "+v.Type(), `write "5m"`)
		}
	}}
}

// within reports whether n is within bounds, and adds a problem otherwise.
func (v *Value) within(n, least, most int64, format func(int64) string) bool {
	switch {
	case n < least:
		v.Add("must be at least "+format(least), "")
	case n > most:
		v.Add("must be at most "+format(most), "")
	}
	return n >= least && n <= most
}

// splitNumber splits "50 mb" into "50" and "mb".
func splitNumber(s string) (number, unit string) {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		return s, ""
	}
	return s[:end], strings.TrimSpace(s[end:])
}
