package main

import (
	"errors"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/spf13/cobra"
)

// upgradeCommand makes a running server give way to a new process.
func upgradeCommand() *cobra.Command {
	return cli.OrderVerb(&cobra.Command{
		Use:   "upgrade",
		Short: "Make the running server give way to the program that is installed now",
		Long: "Upgrade makes the running server start the program that is installed in its place now, with the\n" +
			"same arguments, and hand it the open sockets. When the new process is ready the old one takes no\n" +
			"more connections, lets its sessions finish, and ends. No connection is refused meanwhile. If the new\n" +
			"process does not become ready the old one goes on.\n\n" +
			"The configuration is read anew: this is also how listeners and other keys change that a reload\n" +
			"leaves alone.",
		Example: "  doorstep upgrade -c /etc/doorstep/doorstep.toml",
	}, func(r daemon.UpgradeReport) error {
		if r.Error != "" {
			return cli.Failed(errors.New(r.Error),
				"the log of the new process says more; doorstep check tells what is wrong with the configuration")
		}
		return nil
	})
}
