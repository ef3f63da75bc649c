package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What flags take: it is known from the flag itself, so that a wrong value is explained, and completion offers what is
// meant.

// A Choice is the value of a flag that takes one of some words, in any case. What word is at first is the default.
type Choice struct {
	Word  *string
	Words []string
}

// Set is of pflag.Value.
func (c *Choice) Set(text string) error {
	word := strings.ToLower(text)
	if !slices.Contains(c.Words, word) {
		return errors.New("not one of the words")
	}
	*c.Word = word
	return nil
}

// String is of pflag.Value.
func (c *Choice) String() string { return *c.Word }

// Type is of pflag.Value; help shows a default in quotes for it.
func (c *Choice) Type() string { return "string" }

// wrongValue says what is wrong with the value of a flag in the words of the command line: what pflag says is an error
// of strconv or time.
func wrongValue(wrong *pflag.InvalidValueError) (suggestion string, err error) {
	flag, value := wrong.GetFlag(), wrong.GetValue()
	if c, ok := flag.Value.(*Choice); ok {
		return hint.DidYouMean(value, c.Words),
			fmt.Errorf("--%s %s is not %s", flag.Name, hint.Quote(value), hint.AnyOf(c.Words))
	}
	what := "what it takes"
	switch flag.Value.Type() {
	case "bool":
		what = "true or false"
		suggestion = fmt.Sprintf("--%s alone is enough, and --%s=false takes it back", flag.Name, flag.Name)
	case "int":
		what, suggestion = fmt.Sprintf("a whole number up to %d", math.MaxInt), fmt.Sprintf("--%s 100", flag.Name)
	case "float64":
		what, suggestion = "a number", fmt.Sprintf("--%s 2.5", flag.Name)
	case "duration":
		what, suggestion = "a time with its unit", "write 500ms, 30s, 5m or 1h30m"
	}
	return suggestion, fmt.Errorf("--%s %q is not %s", flag.Name, value, what)
}

// files are the names that help has for values that are files; the others are none.
var files = []string{"file", "path", "socket"}

// Complete has completion offer the words of flags that take some, and files only where a file is meant: in flags by
// their name in help, and in arguments that are called FILE or DIR. It does so for the verbs below cmd too.
func Complete(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && !strings.Contains(cmd.Use, "[FILE]") && !strings.Contains(cmd.Use, "[DIR]") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		placeholder, _ := pflag.UnquoteUsage(f)
		if slices.Contains(files, placeholder) {
			return
		}
		offer := cobra.NoFileCompletions
		if c, ok := f.Value.(*Choice); ok {
			offer = cobra.FixedCompletions(c.Words, cobra.ShellCompDirectiveNoFileComp)
		}
		_ = cmd.RegisterFlagCompletionFunc(f.Name, offer) // fails where the verb has one of its own
	})
	for _, below := range cmd.Commands() {
		Complete(below)
	}
}
