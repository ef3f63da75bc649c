package sieve

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// VerdictOptions are how a site says where filters write what they think; they are Pigeonhole's settings whose names
// begin with sieve_spamtest_ and sieve_virustest_. An empty StatusHeader is no verdict.
type VerdictOptions struct {
	// StatusType is how the header says it: "score" is a number, "strlen" as many characters, "text" a word. [score]
	StatusType string
	// StatusHeader is "FIELD", or "FIELD: EXPRESSION", whose first group is the verdict.
	StatusHeader string
	// MaxValue is the score from which on a message is surely bad, and MaxHeader, in the form of StatusHeader, where the
	// message itself says that. One of them is needed but for words.
	MaxValue  float64
	MaxHeader string
	// TextValues are the words, by the value that each stands for.
	TextValues map[int]string
}

// NewVerdict reads options. Values are how many a test has: 10 for spamtest, 5 for virustest. It returns nil where
// there is no verdict.
func NewVerdict(o VerdictOptions, values int) (v *Verdict, err error) {
	if o.StatusHeader == "" {
		return nil, nil
	}
	v = &Verdict{Length: o.StatusType == "strlen", Max: o.MaxValue}
	if v.Field, v.Pattern, err = fieldPattern("status_header", o.StatusHeader); err != nil {
		return nil, err
	}
	if o.MaxHeader != "" {
		if v.MaxField, v.MaxPattern, err = fieldPattern("max_header", o.MaxHeader); err != nil {
			return nil, err
		}
	}
	switch o.StatusType {
	case "text":
		v.Texts = make([]string, values)
		for n, text := range o.TextValues {
			if n < 0 || n > values {
				return nil, fmt.Errorf("text_value: there is no %d: values are 1 to %d, and 0 for what was not tested", n, values)
			}
			if n > 0 { // what was not tested has no verdict
				v.Texts[n-1] = text
			}
		}
	case "", "score", "strlen":
		if v.Max <= 0 && v.MaxField == "" {
			return nil, errors.New("neither max_value nor max_header says from which score on a message is surely bad")
		}
	default:
		return nil, fmt.Errorf("unknown status_type %q: there are score, strlen and text", o.StatusType)
	}
	return v, nil
}

// fieldPattern takes "FIELD: EXPRESSION" apart.
func fieldPattern(key, setting string) (field string, pattern *regexp.Regexp, err error) {
	field, text, ok := strings.Cut(setting, ":")
	if field = strings.TrimSpace(field); !isFieldName(field) {
		return "", nil, fmt.Errorf("%s: %q is no name of a field", key, field)
	}
	if text = strings.TrimSpace(text); !ok || text == "" {
		return field, nil, nil
	}
	if pattern, err = regexp.Compile(text); err != nil {
		return "", nil, fmt.Errorf("%s: %w", key, err)
	}
	if pattern.NumSubexp() == 0 {
		return "", nil, fmt.Errorf("%s: %q has no group in parentheses, which is the verdict", key, text)
	}
	return field, pattern, nil
}

// ratio is the verdict from 0, surely good, to 1, surely bad; ok is false if there is none.
func (v *Verdict) ratio(header []*message.Field) (ratio float64, ok bool) {
	value, ok := fieldText(header, v.Field, v.Pattern)
	switch {
	case !ok:
		return 0, false
	case v.Texts != nil:
		for i, text := range v.Texts {
			if text != "" && text == value {
				return float64(i) / float64(len(v.Texts)-1), true
			}
		}
		return 0, false
	}
	score, most := float64(len(value)), v.Max
	if !v.Length {
		if score, ok = number(value); !ok {
			return 0, false
		}
	}
	if v.MaxField != "" {
		text, _ := fieldText(header, v.MaxField, v.MaxPattern)
		if most, ok = number(text); !ok {
			return 0, false
		}
	}
	if most <= 0 {
		return 0, false
	}
	return min(max(score/most, 0), 1), true
}

// number reads a number as filters write it: it may begin with its point.
func number(text string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// fieldText returns what the first field of a name says, or what a group of a pattern matches in it.
func fieldText(header []*message.Field, name string, pattern *regexp.Regexp) (string, bool) {
	key := message.Lower(name)
	for _, f := range header {
		if f.Key() != key {
			continue
		}
		if pattern == nil {
			return f.Value(), true
		}
		if m := pattern.FindStringSubmatch(f.Value()); len(m) > 1 {
			return m[1], true
		}
		return "", false
	}
	return "", false
}

// spamtest, spamtestplus and virustest (RFC 5235). Values are 1 to 10, or percents, and 1 to 5; "0" is not tested.
func spamtest() *Extension {
	return &Extension{
		Name: "spamtest", Standard: "RFC 5235 §2.1", Off: true,
		Definitions: []*Definition{verdictTest("spamtest", 10, func(in *Input) *Verdict { return in.Spam })},
	}
}

func spamtestplus() *Extension {
	return &Extension{
		Name: "spamtestplus", Standard: "RFC 5235 §2.2", Off: true, Implies: []string{"spamtest"},
		Tags: map[string][]Tag{"spamtest": {{Name: "percent"}}},
	}
}

func virustest() *Extension {
	return &Extension{
		Name: "virustest", Standard: "RFC 5235 §2.3", Off: true,
		Definitions: []*Definition{verdictTest("virustest", 5, func(in *Input) *Verdict { return in.Virus })},
	}
}

func verdictTest(name string, most int, of func(*Input) *Verdict) *Definition {
	return &Definition{
		Name:     name,
		Params:   []Param{{"value", syntax.String}},
		Compares: true,
		Test: func(c *Compiler, call *Call) Test {
			m := c.Matcher(call, call.Args[0])
			if m == nil {
				return nil
			}
			percent := call.Has("percent")
			return func(r *Run) bool {
				value := 0
				if v := of(r.in); v != nil {
					if ratio, ok := v.ratio(r.header); ok && percent {
						value = int(math.Round(100 * ratio))
					} else if ok {
						value = 1 + int(ratio*float64(most-1)+1e-9)
					}
				}
				search := m.Search()
				return search.Try(r, decimal(value)) || search.End(r)
			}
		},
	}
}
