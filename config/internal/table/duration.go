package table

import (
	"regexp"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// durationForm is the form of a duration: numbers with units, "5m" or "1h30m".
const durationForm = "^([0-9]+(h|m|s|ms))+$"

var isDuration = regexp.MustCompile(durationForm).MatchString

func parseDuration(s string) (time.Duration, error) {
	switch {
	case strings.HasPrefix(s, "-"):
		return 0, hint.New("must not be negative", "")
	case !isDuration(s):
		return 0, hint.New(hint.Quote(s)+" is not a duration", durationHint(s))
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, hint.New("too long a duration", "")
	}
	return d, nil
}

// durationHint guesses what duration was meant by s.
func durationHint(s string) string {
	number, unit := splitNumber(s)
	if s == "" {
		return `write "5m"`
	}
	if !isDigits(number) || len(number) > 20 {
		return `write "5m", with h, m, s or ms`
	}
	switch strings.ToLower(strings.TrimSuffix(unit, ".")) {
	case "", "s", "sec", "secs", "second", "seconds":
		return `write "` + number + `s"`
	case "m", "min", "mins", "minute", "minutes":
		return `write "` + number + `m"`
	case "h", "hr", "hrs", "hour", "hours":
		return `write "` + number + `h"`
	case "ms", "msec", "millisecond", "milliseconds":
		return `write "` + number + `ms"`
	}
	return "units are h, m, s and ms"
}

// formatDuration renders d as it is written in the file: 24h, not 24h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
