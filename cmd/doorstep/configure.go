package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/spf13/cobra"
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
		textCommand("schema", "Print a JSON Schema of the configuration, for editors", config.Schema),
		configShowCommand(),
	)
	return cmd
}

// textCommand is a verb that prints a text.
func textCommand(use, short string, text func() string) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), text())
			return err
		},
	}
}

// A shownSetting is a key in the JSON of config show.
type shownSetting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Where string `json:"where"` // "" for a default
}

// configShowCommand prints what is in force.
func configShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print what the files of the configuration say, and the defaults of the rest",
		Long: "Show prints each key that has a value: where it was said, or that it is the default. Secrets are\n" +
			"left out. --changed leaves the defaults out.",
		Example: "  doorstep config show -c /etc/doorstep/doorstep.toml --changed",
		Args:    cli.NoArguments,
	}
	path := cli.ConfigFlag(cmd)
	changed := cmd.Flags().Bool("changed", false, "only what the files say")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := cli.LoadConfig(*path, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		settings := c.Settings()
		if *changed {
			settings = slices.DeleteFunc(settings, func(s config.Setting) bool { return s.Default })
		}
		if *asJSON {
			var list []shownSetting
			for _, s := range settings {
				list = append(list, shownSetting{s.Key, s.Value, c.Where(s.Key)})
			}
			return cli.PrintJSON(cmd.OutOrStdout(), list)
		}
		w := columns.New(cmd.OutOrStdout())
		for _, s := range settings {
			fmt.Fprintf(w, "%s\t= %s\t# %s\n", s.Key, s.Value, cmp.Or(c.Where(s.Key), "default"))
		}
		return w.Flush()
	}
	return cmd
}
