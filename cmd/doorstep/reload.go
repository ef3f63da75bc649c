package main

import (
	"errors"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/spf13/cobra"
)

// reloadCommand makes a running server read its configuration again.
func reloadCommand() *cobra.Command {
	return cli.OrderVerb(&cobra.Command{
		Use:   "reload",
		Short: "Make the running server read its configuration again",
		Long: "Reload makes the running server read its configuration again, and says what has changed, what\n" +
			"only counts after a restart, and every problem. Where anything is wrong the old configuration\n" +
			"stays in force, whole. Sessions keep the configuration that they began with.\n\n" +
			"It exits with 0 when the configuration is in force, with 2 when it cannot be used, and with 1\n" +
			"when no server answers.",
		Example: "  doorstep reload -c /etc/doorstep/doorstep.toml",
	}, func(r daemon.ReloadReport) error {
		if r.Error != "" {
			return cli.Usage(errors.New(r.Error), r.Hint)
		}
		return nil
	})
}
