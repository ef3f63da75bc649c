package main

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

// noArguments is for verbs that take flags only.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return mistake(cmd, fmt.Errorf("argument %q is too many", args[0]), "")
}

// oneArgument is for verbs that take exactly one, called what.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return mistake(cmd, fmt.Errorf("%s is missing", what), "")
		}
		return atMostOneArgument(cmd, args)
	}
}

// atMostOneArgument is for verbs that can do without.
func atMostOneArgument(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return nil
	}
	return mistake(cmd, fmt.Errorf("argument %q is too many", args[1]), "")
}

// wantsVerb makes cmd one that only has verbs below it: anything else is a mistake.
func wantsVerb(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownVerb(cmd, args[0])
		}
		cmd.SetOut(cmd.ErrOrStderr())
		if err := cmd.Usage(); err != nil {
			return err
		}
		return mistake(cmd, errors.New("no verb given"), "")
	}
}

// unknownVerb is a verb that cmd does not have, with the ones that look like it.
func unknownVerb(cmd *cobra.Command, verb string) error {
	hint := ""
	cmd.SuggestionsMinimumDistance = 2 // letters; what cobra takes where it asks itself
	if like := closest(verb, cmd.SuggestionsFor(verb)); like != "" {
		hint = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), like)
	}
	return mistake(cmd, fmt.Errorf("unknown verb %q", verb), hint)
}

// wrongFlag is what cobra found wrong with a flag, with the one that looks like it.
func wrongFlag(cmd *cobra.Command, err error) error {
	if before := cmd.Flags().Args(); cmd.HasSubCommands() && len(before) > 0 {
		return unknownVerb(cmd, before[0]) // the flag is that verb's
	}
	hint := ""
	var unknown *pflag.NotExistError
	var wrong *pflag.InvalidValueError
	if errors.As(err, &unknown) {
		if like := likeFlag(cmd, unknown.GetSpecifiedName()); like != "" {
			hint = "did you mean --" + like + "?"
		}
	} else if errors.As(err, &wrong) {
		err, hint = wrongValue(wrong)
	}
	return mistake(cmd, err, hint)
}

// likeFlag gives the flag of cmd that a misspelled one may have meant, or "". Cobra can tell
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

// closest gives the name that was begun, or else the first of those that look like it.
func closest(typed string, names []string) string {
	for _, name := range names {
		if strings.HasPrefix(name, typed) {
			return name
		}
	}
	return cmp.Or(append(names, "")...)
}

// mistake is a usage error that names its verb. Without a hint, the verb's help is pointed at.
func mistake(cmd *cobra.Command, err error, hint string) error {
	if cmd.HasParent() {
		err = fmt.Errorf("%s: %w", strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), err)
	}
	if hint == "" {
		hint = cmd.CommandPath() + " --help tells how it is used"
	}
	return usage(err, hint)
}

// helpCommand is cobra's, but it fails for a verb that does not exist.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "Print how a verb is used",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			about, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var verbs []string
			for _, verb := range about.Commands() {
				if verb.IsAvailableCommand() {
					verbs = append(verbs, verb.Name()+"\t"+verb.Short)
				}
			}
			return verbs, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownVerb(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
