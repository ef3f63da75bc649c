package svtest

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
)

// verdict reads the settings of a filter for spam or viruses, as Pigeonhole names them.
func (s *suite) verdict(name string, values int) *sieve.Verdict {
	prefix := "sieve_" + name + "_"
	v := &sieve.Verdict{Length: s.settings[prefix+"status_type"] == "strlen"}
	v.Field, v.Pattern = fieldPattern(s.settings[prefix+"status_header"])
	v.MaxField, v.MaxPattern = fieldPattern(s.settings[prefix+"score_max_header"])
	if n, err := strconv.ParseFloat(s.settings[prefix+"score_max_value"], 64); err == nil {
		v.Max = n
	}
	if s.settings[prefix+"status_type"] == "text" {
		for i := range values {
			v.Texts = append(v.Texts, s.settings[prefix+"text_value/"+strconv.Itoa(i+1)])
		}
	}
	if v.Field == "" {
		return nil
	}
	return v
}

// fieldPattern takes "Field: pattern" apart.
func fieldPattern(setting string) (field string, pattern *regexp.Regexp) {
	field, text, ok := strings.Cut(setting, ":")
	if ok {
		pattern, _ = regexp.Compile(strings.TrimSpace(text)) // none if it is no expression
	}
	return strings.TrimSpace(field), pattern
}
