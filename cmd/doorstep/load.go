package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/config"
)

// defaultConfig is where the configuration is looked for.
const defaultConfig = "/etc/doorstep/doorstep.toml"

// configFlag adds -c to a verb.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", defaultConfig, "the configuration `file`")
}

// loadConfig loads the configuration and prints what is wrong with it. It fails when the
// configuration cannot be used.
func loadConfig(path string, stderr io.Writer) (*config.Config, error) {
	c, problems, err := config.Load(path)
	if err != nil {
		return nil, usage(err, "doorstep config default prints one to begin with")
	}
	printProblems(stderr, problems)
	if config.HasErrors(problems) {
		return nil, usage(fmt.Errorf("%s cannot be used", path), "doorstep check tells all that is wrong with it")
	}
	return c, nil
}

func printProblems(w io.Writer, problems []config.Problem) {
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
}
