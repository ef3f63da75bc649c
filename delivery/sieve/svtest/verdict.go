package svtest

import (
	"strconv"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
)

// verdict reads the settings of a filter for spam or viruses, as Pigeonhole 2.4 names them. There is none where they
// are wrong, as there.
func (s *suite) verdict(name string, values int) *sieve.Verdict {
	prefix := "sieve_" + name + "_"
	most, err := strconv.ParseFloat(s.settings[prefix+"score_max_value"], 64)
	if err != nil {
		most = 0
	}
	o := sieve.VerdictOptions{
		StatusType: s.settings[prefix+"status_type"], StatusHeader: s.settings[prefix+"status_header"],
		MaxHeader: s.settings[prefix+"score_max_header"], MaxValue: most, TextValues: map[int]string{},
	}
	for i := range values + 1 {
		if text := s.settings[prefix+"text_value/"+strconv.Itoa(i)]; text != "" {
			o.TextValues[i] = text
		}
	}
	v, err := sieve.NewVerdict(o, values)
	if err != nil {
		return nil
	}
	return v
}
