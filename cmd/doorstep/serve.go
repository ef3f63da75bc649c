package main

import (
	"errors"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/spf13/cobra"
)

// serveCommand runs the server.
func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take mail and deliver it",
		Long: "Serve listens, takes mail and delivers it until SIGTERM or SIGINT stops it.\n" +
			"Then deliveries that have begun are finished; a second signal stops at once. At SIGHUP the\n" +
			"configuration is read again, as by doorstep reload; at SIGUSR2 a new process takes over, as by\n" +
			"doorstep upgrade. It tells systemd how it is (Type=notify), and takes sockets from it\n" +
			"(address = \"systemd:NAME\").\n\n" +
			"With --dev it needs no configuration: it makes one in ./doorstep-dev, with a few accounts,\n" +
			"and listens on a socket there, on 127.0.0.1:2424 for LMTP and on 127.0.0.1:2525 for ESMTP;\n" +
			"http://127.0.0.1:2480/ is its status page.",
		Example: "  doorstep serve -c /etc/doorstep/doorstep.toml\n  doorstep serve --dev",
		Args:    cli.NoArguments,
	}
	path := cli.ConfigFlag(cmd)
	dev := cmd.Flags().Bool("dev", false, "run in ./doorstep-dev, to try things out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		handshake := daemon.NewHandshake()
		defer func() { handshake.Done(err) }() // unless it was done before
		ready := func() { handshake.Done(nil) }
		if *dev {
			if cmd.Flags().Changed("config") {
				return cli.Usage(errors.New("serve: --dev makes its own configuration, and does not go with -c"),
					"leave one of them out")
			}
			place, err := daemon.MakeDev("doorstep-dev")
			if err != nil {
				return cli.Failed(err, "--dev makes a directory doorstep-dev here; go where you may write")
			}
			*path = place.Config
			ready = func() {
				handshake.Done(nil)
				place.Explain(cmd.OutOrStdout())
			}
		}
		c, err := cli.LoadConfig(*path, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return daemon.Serve(cmd.Context(), *path, c, cmd.ErrOrStderr(), ready)
	}
	return cmd
}
