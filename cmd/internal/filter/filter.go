// Package filter has the verbs below sieve: they check scripts, run them on a message without any effect, and run test
// scripts.
package filter

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

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

// allowFlag adds --extensions, and returns how it changes what a script may require.
func allowFlag(cmd *cobra.Command) func() (func(*sieve.Extension) bool, error) {
	list := cmd.Flags().StringSlice("extensions", nil,
		"extensions that are on or off besides the default, such as +editheader,-vacation")
	return func() (func(*sieve.Extension) bool, error) {
		change := map[string]bool{}
		for _, e := range *list {
			name := strings.TrimLeft(e, "+-")
			if name == e {
				return nil, cli.Mistake(cmd, fmt.Errorf("extension %q begins with neither + nor -", e), "")
			}
			if !slices.ContainsFunc(sieve.Extensions(), func(x *sieve.Extension) bool { return x.Name == name }) {
				return nil, cli.Mistake(cmd, fmt.Errorf("unknown extension %q", name), "see doorstep sieve extensions")
			}
			change[name] = e[0] == '+'
		}
		return func(e *sieve.Extension) bool {
			if on, ok := change[e.Name]; ok {
				return on
			}
			return !e.Off
		}, nil
	}
}
