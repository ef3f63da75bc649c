package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/admin"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// statusCommand shows how the running server is.
func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the running server is",
		Long: "Status asks the running server by its admin listener, and prints what the status page shows:\n" +
			"rate, latency and outcomes of the last hour, the slowest mailboxes, directories, and recent failures.\n\n" +
			"It exits with 0 when the server can take mail, and with 1 when it cannot, or does not answer.",
		Example: "  doorstep status\n  doorstep status --watch\n  doorstep status --json | jq .hour",
		Args:    cli.NoArguments,
	}
	file := cli.ConfigFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON, with all that is known")
	again := cmd.Flags().Bool("watch", false, "show it anew every two seconds, until interrupted")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := admin.ClientOf(*file, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		show := func(s *status.Snapshot) error { return s.Print(out, terminalWidth(out)) }
		if *asJSON {
			show = func(s *status.Snapshot) error { return json.NewEncoder(out).Encode(s) }
		} else if *again && cli.IsTerminal(out) {
			plain := show
			show = func(s *status.Snapshot) error {
				if _, err := io.WriteString(out, clearScreen); err != nil {
					return err
				}
				return plain(s)
			}
		}
		if *again {
			return watchStatus(cmd.Context(), client, show)
		}
		s, err := client.Status(cmd.Context())
		if err == nil {
			err = show(s)
		}
		if err == nil && !s.Ready {
			err = &cli.Failure{Code: cli.ExitFailure}
		}
		return err
	}
	return cmd
}

// clearScreen is ECMA-48: home, and erase to the end.
const clearScreen = "\x1b[H\x1b[J"

// watchEvery is how often --watch asks.
const watchEvery = 2 * time.Second

// watchStatus shows the status again and again until ctx ends.
func watchStatus(ctx context.Context, client *admin.Client, show func(*status.Snapshot) error) error {
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s, err := client.Status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = show(s)
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// terminalWidth is how many columns a terminal has, 80 where there is none.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	return 80
}
