package main

import (
	"fmt"
	"log/slog"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/spf13/cobra"
)

// checkCommand says everything that is wrong with a configuration.
func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Print every problem of the configuration",
		Long: "Check prints every problem of the configuration at once, each with its file, line and\n" +
			"column, and of what it names on this machine: directories, users and groups.\n\n" +
			"It exits with 0 when the configuration can be used, warnings or not, and with 2 when not.",
		Args: cli.NoArguments,
	}
	path := cli.ConfigFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print the problems as JSON, on standard output")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, problems, err := config.Load(*path)
		if err != nil {
			return cli.Usage(err, cli.Unreadable(*path, err))
		}
		if !config.HasErrors(problems) {
			problems = append(problems, c.CheckSystem()...)
			problems = append(problems, checkBuilds(*path, c)...)
		}
		if *asJSON {
			if err := cli.PrintJSON(cmd.OutOrStdout(), problems); err != nil {
				return err
			}
		} else {
			cli.PrintProblems(cmd.ErrOrStderr(), problems)
		}
		if config.HasErrors(problems) {
			return &cli.Failure{Code: cli.ExitUsage}
		}
		if *asJSON {
			return nil
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%s, %s)\n", *path,
			cli.Count(len(c.Domains), "domain"), cli.Count(len(c.Users), "user"))
		return err
	}
	return cmd
}

// checkBuilds finds what only the parts themselves can tell of their configuration, such as mistakes
// in queries. It connects to nothing.
func checkBuilds(path string, c *config.Config) []config.Problem {
	resolver, err := build.Resolver(c, nil, slog.New(slog.DiscardHandler))
	if err == nil {
		err = build.CloseDirectory(resolver.Directory)
	}
	if err != nil {
		return []config.Problem{{File: path, Text: err.Error()}}
	}
	return nil
}
