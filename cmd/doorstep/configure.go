package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/config"
)

// configCommand prints configurations.
func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print configurations and their reference",
	}
	cmd.AddCommand(
		textCommand("default", "Print the default configuration, with comments", config.Default),
		textCommand("reference", "Print what every key means, in Markdown", config.Reference),
	)
	return cmd
}

// textCommand is a verb that prints a text.
func textCommand(use, short string, text func() string) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), text())
			return err
		},
	}
}
