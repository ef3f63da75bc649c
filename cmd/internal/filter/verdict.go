package filter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/spf13/cobra"
)

// verdictFlag adds a flag with the settings of a test, and returns what reads it; values are how many the test has.
func verdictFlag(cmd *cobra.Command, name string, values int) func() (*sieve.Verdict, error) {
	settings := cmd.Flags().StringArray(name, nil,
		"setting of "+name+", as Pigeonhole names it after sieve_"+name+"_: status_header=\"X-Spam-Score: (.*)\"")
	return func() (*sieve.Verdict, error) {
		o, err := verdictOptions(*settings)
		var v *sieve.Verdict
		if err == nil {
			v, err = sieve.NewVerdict(o, values)
		}
		if err == nil && v == nil && len(*settings) > 0 {
			err = errors.New("status_header is missing")
		}
		if err != nil {
			return nil, cli.Mistake(cmd, fmt.Errorf("--%s: %w", name, err), "see docs/sieve.md")
		}
		return v, nil
	}
}

// verdictOptions reads settings, each NAME=VALUE.
func verdictOptions(settings []string) (o sieve.VerdictOptions, err error) {
	for _, setting := range settings {
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return o, fmt.Errorf("%q is no NAME=VALUE", setting)
		}
		number, isText := strings.CutPrefix(name, "text_value")
		switch {
		case name == "status_header":
			o.StatusHeader = value
		case name == "status_type":
			o.StatusType = value
		case name == "max_header" || name == "score_max_header":
			o.MaxHeader = value
		case name == "max_value" || name == "score_max_value":
			if o.MaxValue, err = strconv.ParseFloat(value, 64); err != nil {
				return o, fmt.Errorf("%s: %q is no number", name, value)
			}
		case isText:
			n, err := strconv.Atoi(strings.TrimPrefix(number, "/"))
			if err != nil {
				return o, fmt.Errorf("%s has no number of a value: text_value1", name)
			}
			if o.TextValues == nil {
				o.TextValues = map[int]string{}
			}
			o.TextValues[n] = value
		default:
			return o, fmt.Errorf("unknown setting %q: there are status_header, status_type, max_value, max_header and "+
				"text_value1 and so on", name)
		}
	}
	return o, nil
}
