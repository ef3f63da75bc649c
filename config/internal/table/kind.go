package table

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// Text is any string, which set stores, or says what is wrong with.
func Text[T any](takes string, set func(to *T, v *Value, s string) error) Kind[T] {
	return Kind[T]{takes, Schema{"type": "string"}, func(to *T, v *Value) {
		if s, ok := v.Data.(string); ok {
			v.Refuse(set(to, v, s))
			return
		}
		suggestion := "write it in quotes"
		switch v.Data.(type) {
		case []any, []map[string]any, map[string]any:
			suggestion = ""
		}
		v.Add("must be a string, not "+v.Type(), suggestion)
	}}
}

// Parsed is a string that parse understands.
func Parsed[T, X any](takes string, parse func(string) (X, error), at func(*T) *X) Kind[T] {
	return Text(takes, func(to *T, _ *Value, s string) error {
		x, err := parse(s)
		if err == nil {
			*at(to) = x
		}
		return err
	})
}

// Path is the path of a file or directory. Relative to the file that says it, it becomes absolute.
func Path[T any](at func(*T) *string) Kind[T] {
	return Text("a path", func(to *T, v *Value, s string) (err error) {
		if s, err = v.Absolute(s); err == nil {
			*at(to) = s
		}
		return err
	})
}

// OptionalPath is Path, with "" for none.
func OptionalPath[T any](at func(*T) *string) Kind[T] {
	path := Path(at)
	return Text(path.Takes, func(to *T, v *Value, s string) error {
		if *at(to) = ""; s != "" {
			path.Read(to, v)
		}
		return nil
	})
}

// List is an array of strings. begin, if not nil, checks its length; set stores each of its elements.
func List[T any](takes string, begin func(length int) error, set func(to *T, v *Value, s string) error) Kind[T] {
	one := Text("", set)
	form := Schema{"type": "array", "items": Schema{"type": "string"}}
	return Kind[T]{"a list of " + takes, form, func(to *T, v *Value) {
		elements, ok := v.Data.([]any)
		if !ok {
			suggestion := ""
			if s, ok := v.Data.(string); ok {
				suggestion = "write [" + hint.Quote(s) + "]"
			}
			v.Add("must be a list of strings, not "+v.Type(), suggestion)
			return
		}
		if begin != nil {
			v.Refuse(begin(len(elements)))
		}
		for i, data := range elements {
			element := &Value{Value: v.Element(i, i, data), in: v.in}
			if !v.isDefault {
				v.in.values[element.Path] = element
			}
			one.Read(to, element)
			v.wrong = v.wrong || element.wrong
		}
	}}
}

// ParsedList is an array of strings that parse understands.
func ParsedList[T, X any](
	takes string, begin func(int) error, parse func(string) (X, error), at func(*T) *[]X,
) Kind[T] {
	return List(takes, begin, func(to *T, _ *Value, s string) error {
		x, err := parse(s)
		if err == nil {
			*at(to) = append(*at(to), x)
		}
		return err
	})
}

// NotEmpty refuses an empty list.
func NotEmpty(text, suggestion string) func(length int) error {
	return func(length int) error {
		if length == 0 {
			return hint.New(text, suggestion)
		}
		return nil
	}
}

// An Option is one of the words of a Choice, and what it means.
type Option[X any] struct {
	Word  string
	Means X
}

// Choice is one of a few words.
func Choice[T, X any](at func(*T) *X, options ...Option[X]) Kind[T] {
	var words []string
	for _, o := range options {
		words = append(words, o.Word)
	}
	k := Text(hint.AnyOf(words), func(to *T, _ *Value, s string) error {
		for _, o := range options {
			if s == o.Word {
				*at(to) = o.Means
				return nil
			}
		}
		return hint.New(fmt.Sprintf("%s is not %s", hint.Quote(s), hint.AnyOf(words)), hint.DidYouMean(s, words))
	})
	k.Schema = Schema{"enum": words}
	return k
}

// Word is one of a few words that mean themselves.
func Word[T any, W ~string](at func(*T) *W, words ...W) Kind[T] {
	var options []Option[W]
	for _, w := range words {
		options = append(options, Option[W]{string(w), w})
	}
	return Choice(at, options...)
}

// Either is one of two words, the second of which sets a boolean.
func Either[T any](at func(*T) *bool, no, yes string) Kind[T] {
	return Choice(at, Option[bool]{no, false}, Option[bool]{yes, true})
}

// Toggle is a boolean.
func Toggle[T any](at func(*T) *bool) Kind[T] { return Switch(at, true, false) }

// Switch is a boolean that means one of two values. What a key that is not set means may be a third.
func Switch[T, X any](at func(*T) *X, on, off X) Kind[T] {
	return Kind[T]{"true or false", Schema{"type": "boolean"}, func(to *T, v *Value) {
		b, ok := v.Data.(bool)
		if !ok {
			suggestion := "write true or false, without quotes"
			if v.Data == "true" || v.Data == "false" {
				suggestion = fmt.Sprintf("write %s without quotes", v.Data)
			}
			v.Add("must be true or false, not "+v.Type(), suggestion)
			return
		}
		if *at(to) = off; b {
			*at(to) = on
		}
	}}
}

// Mode is the permissions of a file, in octal and in quotes: TOML reads 0660 neither as octal nor at all.
func Mode[T any](at func(*T) *fs.FileMode) Kind[T] {
	form := Schema{"type": "string", "pattern": "^[0-7]{3,4}$"}
	return Kind[T]{"an octal mode in quotes", form, func(to *T, v *Value) {
		s, _ := v.Data.(string)
		bits, err := strconv.ParseUint(s, 8, 32)
		switch {
		case s == "":
			v.Add("must be a mode in quotes", `write "0660"`)
		case err != nil || !isDigits(s) || len(s) < 3 || len(s) > 4 || bits > 0o777:
			v.Add(hint.Quote(s)+" is not a mode", `write "0660"`)
		default:
			*at(to) = fs.FileMode(bits)
		}
	}}
}

// Timestamp is a date, or a date and time with its zone, in quotes or as TOML has them. A date alone stands for the
// end of that day in UTC: the latest that it can mean.
func Timestamp[T any](at func(*T) *time.Time) Kind[T] {
	const write = `write "2014-04-03T23:01:00Z", or "2014-04-03"`
	return Kind[T]{"a date, or a date and time with its zone", Schema{}, func(to *T, v *Value) {
		switch data := v.Data.(type) {
		case string:
			if t, err := time.Parse(time.RFC3339, data); err == nil && !t.IsZero() {
				*at(to) = t.UTC()
				return
			}
			day, err := time.Parse(time.DateOnly, data)
			if err != nil {
				v.Add(hint.Quote(data)+" is not a date and time", write)
				return
			}
			*at(to) = day.AddDate(0, 0, 1)
		case time.Time:
			// The decoder marks a value without a zone by a zone of its own with one of these names.
			switch data.Location().String() {
			case "date-local":
				*at(to) = time.Date(data.Year(), data.Month(), data.Day()+1, 0, 0, 0, 0, time.UTC)
			case "datetime-local", "time-local":
				v.Add("has no zone", write)
			default:
				*at(to) = data.UTC()
			}
		default:
			v.Add("must be a date, not "+v.Type(), write)
		}
	}}
}

// isDigits reports whether s is a number without sign, point or spaces.
func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
