package table

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// sizeUnits are the units of a size, largest first.
var sizeUnits = []struct {
	name  string
	octet int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
}

// parseSize reads a whole number of KiB, MiB, GiB or TiB. Other units are refused: half the world
// reads 50MB as 50·10⁶ octets.
func parseSize(s string) (int64, error) {
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(s, unit.name)
		if !ok || !isDigits(digits) {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64/unit.octet {
			return 0, hint.New("too large a size", "")
		}
		return n * unit.octet, nil
	}
	return 0, hint.New(hint.Quote(s)+" is not a size", sizeHint(s))
}

// sizeHint guesses which size was meant by s.
func sizeHint(s string) string {
	number, unit := splitNumber(s)
	if !isDigits(number) || len(number) > 20 {
		return `write "50MiB", with KiB, MiB, GiB or TiB, or a number of octets`
	}
	switch unit := strings.ToLower(unit); unit {
	case "", "b":
		return "write " + number + " for octets"
	case "k", "kb", "kib", "m", "mb", "mib", "g", "gb", "gib", "t", "tb", "tib":
		return `write "` + number + strings.ToUpper(unit[:1]) + `iB"`
	}
	return "units are KiB, MiB, GiB and TiB"
}

// ParseSize reads a size as the configuration has them, "50MiB" or plain octets.
func ParseSize(s string) (int64, error) {
	if isDigits(s) && len(s) < 19 {
		return strconv.ParseInt(s, 10, 64)
	}
	n, err := parseSize(s)
	if e := (hint.Error{}); errors.As(err, &e) && e.Hint != "" {
		err = fmt.Errorf("%w (%s)", err, e.Hint)
	}
	return n, err
}

// FormatSize renders octets in the largest unit that is exact.
func FormatSize(octets int64) string {
	for _, unit := range sizeUnits {
		if octets >= unit.octet && octets%unit.octet == 0 {
			return strconv.FormatInt(octets/unit.octet, 10) + unit.name
		}
	}
	return strconv.FormatInt(octets, 10)
}
