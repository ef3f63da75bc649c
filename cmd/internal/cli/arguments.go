package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What a verb says to arguments and flags that it does not know. Each mistake names the verb
// and what it wants instead.

// NoArguments is for verbs that take flags only.
func NoArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return Mistake(cmd, fmt.Errorf("argument %q is too many", args[0]), "")
}

// OneArgument is for verbs that take exactly one, called what.
func OneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Mistake(cmd, fmt.Errorf("%s is missing", what), "")
		}
		return AtMostOneArgument(cmd, args)
	}
}

// AtMostOneArgument is for verbs that can do without.
func AtMostOneArgument(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return nil
	}
	return Mistake(cmd, fmt.Errorf("argument %q is too many", args[1]), "")
}

// WantsVerb makes cmd one that only has verbs below it: anything else is a mistake.
func WantsVerb(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return UnknownVerb(cmd, args[0])
		}
		cmd.SetOut(cmd.ErrOrStderr())
		if err := cmd.Usage(); err != nil {
			return err
		}
		return Mistake(cmd, errors.New("no verb given"), "")
	}
}

// UnknownVerb is a verb that cmd does not have, with the ones that look like it.
func UnknownVerb(cmd *cobra.Command, verb string) error {
	hint := ""
	cmd.SuggestionsMinimumDistance = 2 // letters; what cobra takes where it asks itself
	if like := closest(verb, cmd.SuggestionsFor(verb)); like != "" {
		hint = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), like)
	}
	return Mistake(cmd, fmt.Errorf("unknown verb %q", verb), hint)
}

// WrongFlag is what cobra found wrong with a flag, with the one that looks like it.
func WrongFlag(cmd *cobra.Command, err error) error {
	if before := cmd.Flags().Args(); cmd.HasSubCommands() && len(before) > 0 {
		return UnknownVerb(cmd, before[0]) // the flag is that verb's
	}
	hint := ""
	var unknown *pflag.NotExistError
	var wrong *pflag.InvalidValueError
	if errors.As(err, &unknown) {
		if like := likeFlag(cmd, unknown.GetSpecifiedName()); like != "" {
			hint = "did you mean --" + like + "?"
		}
	} else if errors.As(err, &wrong) {
		hint, err = wrongValue(wrong)
	}
	return Mistake(cmd, err, hint)
}

// likeFlag returns the flag of cmd that a misspelled one may have meant, or "". Cobra can tell
// what verbs look like another, so the flags are shown to it as verbs.
func likeFlag(cmd *cobra.Command, name string) string {
	flags := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if len(name) < 2 {
		return ""
	}
	return closest(name, flags.SuggestionsFor(name))
}

// closest returns the name that was begun, or else the first of those that look like it.
func closest(typed string, names []string) string {
	for _, name := range names {
		if strings.HasPrefix(name, typed) {
			return name
		}
	}
	return cmp.Or(append(names, "")...)
}

// Mistake is a usage error that names its verb. Without a hint, the verb's help is pointed at.
func Mistake(cmd *cobra.Command, err error, hint string) error {
	if cmd.HasParent() {
		err = fmt.Errorf("%s: %w", strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), err)
	}
	if hint == "" {
		hint = cmd.CommandPath() + " --help tells how it is used"
	}
	return Usage(err, hint)
}

// AtLeast is for verbs that take several arguments, called what.
func AtLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return Mistake(cmd, fmt.Errorf("%s is missing", what), "")
		}
		return nil
	}
}

// First is the first argument, "" where there is none.
func First(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
