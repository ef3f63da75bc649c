package table

import (
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config/internal/hint"
)

// parseDuration reads numbers with the units h, m, s and ms: "5m", "1h30m".
func parseDuration(s string) (time.Duration, error) {
	if strings.HasPrefix(s, "-") {
		return 0, hint.New("must not be negative", "")
	}
	for rest := s; rest != ""; {
		number, _ := splitNumber(rest)
		unit, after := durationUnit(rest[len(number):])
		if number == "" || unit == "" {
			return 0, hint.New(hint.Quote(s)+" is not a duration", durationHint(s))
		}
		rest = after
	}
	if s == "" {
		return 0, hint.New(`"" is not a duration`, `write "5m"`)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, hint.New("too long a duration", "")
	}
	return d, nil
}

// durationUnit splits the unit off the beginning of s.
func durationUnit(s string) (unit, rest string) {
	for _, unit := range []string{"ms", "h", "m", "s"} {
		if rest, ok := strings.CutPrefix(s, unit); ok {
			return unit, rest
		}
	}
	return "", s
}

// durationHint guesses what duration was meant by s.
func durationHint(s string) string {
	number, unit := splitNumber(s)
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
