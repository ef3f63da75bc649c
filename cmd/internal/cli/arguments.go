package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
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

// UnknownVerb is a verb that cmd does not have, with the one that was probably meant.
func UnknownVerb(cmd *cobra.Command, verb string) error {
	var verbs []string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() || below.Name() == "help" {
			verbs = append(verbs, below.Name())
		}
	}
	suggestion := ""
	if meant := hint.Closest(verb, verbs); meant != "" {
		suggestion = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), meant)
	}
	return Mistake(cmd, fmt.Errorf("unknown verb %q", verb), suggestion)
}

// WrongFlag is what cobra found wrong with a flag, with the one that was probably meant.
func WrongFlag(cmd *cobra.Command, err error) error {
	if before := cmd.Flags().Args(); cmd.HasSubCommands() && len(before) > 0 {
		return UnknownVerb(cmd, before[0]) // the flag is that verb's
	}
	suggestion := ""
	var unknown *pflag.NotExistError
	var wrong *pflag.InvalidValueError
	if errors.As(err, &unknown) {
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
		if meant := hint.Closest(unknown.GetSpecifiedName(), flags); meant != "" {
			suggestion = "did you mean --" + meant + "?"
		}
	} else if errors.As(err, &wrong) {
		suggestion, err = wrongValue(wrong)
	}
	return Mistake(cmd, err, suggestion)
}

// Mistake is a usage error that names its verb. Without a hint, the verb's help is pointed at.
func Mistake(cmd *cobra.Command, err error, suggestion string) error {
	if cmd.HasParent() {
		err = fmt.Errorf("%s: %w", strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), err)
	}
	if suggestion == "" {
		suggestion = cmd.CommandPath() + " --help tells how it is used"
	}
	return Usage(err, suggestion)
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
