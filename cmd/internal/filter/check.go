package filter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
	"github.com/spf13/cobra"
)

// checkCommand prints what is wrong with scripts.
func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Print every problem of Sieve scripts",
		Long: "Check prints every problem of the scripts, each with its file, line and column. It exits with 0\n" +
			"when all of them can be used, warnings or not, and with 2 when not.",
		Args: files,
	}
	allow := allowFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print the problems as JSON, on standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var o sieve.Options
		if err := allow(&o); err != nil {
			return err
		}
		var problems []syntax.Problem
		var failed, unread error
		for _, file := range args {
			source, err := read(file)
			if err != nil {
				unread = errors.Join(unread, err)
				continue
			}
			o.Included = included(file)
			program, found := sieve.Compile(source, o)
			if program == nil {
				failed = &cli.Failure{Code: cli.ExitUsage}
			} else if !*asJSON {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", file)
			}
			inOrder(found)
			problems = append(problems, found...)
		}
		var err error
		if *asJSON {
			err = cli.PrintJSON(cmd.OutOrStdout(), problems)
		} else {
			printProblems(cmd, problems)
		}
		switch {
		case err != nil:
			return err
		case unread != nil:
			return cli.Failed(unread, "")
		}
		return failed
	}
	return cmd
}

// inOrder sorts problems by their places, one file after the other: those of the grammar are found before others.
func inOrder(list []syntax.Problem) {
	file := map[string]int{}
	for _, p := range list {
		if _, ok := file[p.File]; !ok {
			file[p.File] = len(file)
		}
	}
	slices.SortStableFunc(list, func(a, b syntax.Problem) int {
		return cmp.Or(file[a.File]-file[b.File], a.Line-b.Line, a.Column-b.Column)
	})
}

// printProblems prints problems for people.
func printProblems(cmd *cobra.Command, problems []syntax.Problem) {
	for _, p := range problems {
		if p.Warning {
			p.Text = "warning: " + p.Text
		}
		fmt.Fprintln(cmd.ErrOrStderr(), p)
	}
}
