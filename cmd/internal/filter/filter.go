// Package filter has the verbs below sieve: they check scripts, run them on a message without any effect, and run test
// scripts.
package filter

import (
	"errors"
	"fmt"
	"os"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
	"github.com/spf13/cobra"
)

// Command is the verb sieve.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sieve",
		Short: "Check Sieve scripts, and see what one does with a message",
	}
	cmd.AddCommand(checkCommand(), runCommand(), testCommand(), extensionsCommand())
	return cmd
}

// files is for verbs that take one file or more.
func files(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Mistake(cmd, errors.New("the script is missing"), "")
	}
	return nil
}

// read reads a script.
func read(file string) (*syntax.Source, error) {
	info, err := os.Stat(file)
	switch {
	case err == nil && info.IsDir():
		err = fmt.Errorf("%s is a directory", file)
	case err == nil && info.Size() > syntax.MaxText:
		err = fmt.Errorf("%s has %d octets; a script has at most %d", file, info.Size(), syntax.MaxText)
	}
	if err != nil {
		return nil, cli.Failed(err, "")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, cli.Failed(err, "")
	}
	return &syntax.Source{Name: file, Text: string(text)}, nil
}

// allowFlags adds --extensions and --global-extensions, and returns what sets the options by them.
func allowFlags(cmd *cobra.Command) func(*sieve.Options) error {
	own := cmd.Flags().StringSlice("extensions", nil,
		"extensions that scripts may require: changes of the default, such as +editheader,-vacation, or a whole list")
	global := cmd.Flags().StringSlice("global-extensions", nil,
		"the same for scripts of the site that are included with :global; they may require those of the others too")
	return func(o *sieve.Options) error {
		var err error
		if o.Allowed, err = sieve.Choose(*own); err != nil {
			return cli.Mistake(cmd, fmt.Errorf("--extensions: %w", err), "see doorstep sieve extensions")
		}
		more, err := sieve.Choose(*global)
		if err != nil {
			return cli.Mistake(cmd, fmt.Errorf("--global-extensions: %w", err), "see doorstep sieve extensions")
		}
		o.AllowedGlobal, o.AllowHint = o.Allowed, "--extensions +NAME allows it"
		if len(*global) > 0 {
			o.AllowedGlobal = func(e *sieve.Extension) bool { return o.Allowed(e) || more(e) }
		}
		return nil
	}
}
