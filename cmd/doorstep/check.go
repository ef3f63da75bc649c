package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/doorstep-mail/doorstep/cmd/internal/check"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
)

// checkCommand says everything that is wrong with a configuration.
func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Print every problem of the configuration",
		Long: "Check prints every problem of the configuration at once, each with its file, line and\n" +
			"column, and of what it names on this machine: directories, files, users and groups.\n\n" +
			"With --connect it asks what the configuration leads to, each for 30 seconds at most: every\n" +
			"[[directory]] the questions of a delivery, and how many accounts it has; whether sockets are free,\n" +
			"or whose they are; whether homes are there and the store has room; the server of quota.warn_url.\n" +
			"Nothing is written and no mail is touched.\n\n" +
			"Root tries files, directories and databases as the user who will use them: who starts the server,\n" +
			"which --as says, and by default User= of the unit doorstep.service; and store.user.\n\n" +
			"It exits with 0 when the configuration can be used, warnings or not, and with 2 when not.",
		Example: "  doorstep check --connect\n  doorstep check --connect --as doorstep -c new.toml",
		Args:    cli.NoArguments,
	}
	path := cli.ConfigFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print the problems as JSON, on standard output")
	connect := cmd.Flags().Bool("connect", false, "ask the databases and servers that the configuration leads to")
	as := cmd.Flags().String("as", "", "the `user` who starts the server")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r, err := check.Run(cmd.Context(), check.Options{Path: *path, As: *as, Connect: *connect})
		if err != nil {
			return err
		}
		switch {
		case *asJSON && *connect:
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			err = encoder.Encode(r)
		case *asJSON:
			err = cli.PrintJSON(cmd.OutOrStdout(), r.Problems)
		default:
			cli.PrintProblems(cmd.ErrOrStderr(), r.Problems)
			err = printAnswers(cmd.OutOrStdout(), r.Answers)
		}
		if config.HasErrors(r.Problems) && err == nil {
			return &cli.Failure{Code: cli.ExitUsage}
		}
		if *asJSON || err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%s)\n", *path, r.Summary)
		return err
	}
	return cmd
}

// printAnswers prints a row for each question that has an answer; the others have problems.
func printAnswers(w io.Writer, answers []check.Answer) error {
	table := columns.New(w)
	for _, a := range answers {
		if a.Text != "" {
			fmt.Fprintf(table, "%s\t%s\n", address.Readable(a.Name), address.Readable(a.Text))
		}
	}
	return table.Flush()
}
