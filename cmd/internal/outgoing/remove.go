package outgoing

import (
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
)

func removeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove ENTRY…",
		Short: "Remove entries from the outbox, for good",
		Long: "Remove removes entries, whole names as doorstep outbox list prints them: waiting ones, whose senders\n" +
			"then get no report, and those that were set aside. The server need not be stopped; what it is sending\n" +
			"at the moment is left alone. With --all --yes everything goes but what another machine sends.\n\n" + rights,
		Example: "  doorstep outbox remove 1795830925123456789.4VEYBJHNBI.mail.example.org\n" +
			"  doorstep outbox remove --all --yes",
	}
	all := cmd.Flags().Bool("all", false, "remove all entries but those of other machines; with --yes")
	yes := cmd.Flags().Bool("yes", false, "it is meant")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case *all && len(args) > 0:
			return cli.Mistake(cmd, errors.New("--all goes with no names"), "")
		case *all && !*yes:
			return cli.Mistake(cmd, errors.New("--all removes all reports, and their senders get none"), "--all --yes does it")
		case *all:
			return nil
		}
		return cli.AtLeast(1, "ENTRY")(cmd, args)
	}
	return verb(cmd, func(cmd *cobra.Command, c *config.Config, args []string) error {
		if *all {
			files, err := outbox.List(c.Submission.Outbox)
			if err != nil {
				return cli.Failed(err, whyNotRead(err))
			}
			for _, f := range files {
				if f.Host == "" || f.Host == c.Hostname {
					args = append(args, f.Name)
				}
			}
		}
		return removeEach(cmd, c.Submission.Outbox, args)
	})
}

// removeEach removes entries. What goes wrong with one is printed, and the others follow.
func removeEach(cmd *cobra.Command, dir string, entries []string) error {
	removed, wrong := 0, false
	for _, name := range entries {
		err := outbox.Remove(dir, name)
		if err == nil {
			removed++
			continue
		}
		wrong = true
		f := failed(name, dir, err)
		fmt.Fprintf(cmd.ErrOrStderr(), "doorstep: %s\n", address.Readable(f.Error()))
		if f.Hint != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "hint: %s\n", f.Hint)
		}
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s removed\n", cli.Plural(removed, "entry", "entries"))
	if err == nil && wrong {
		err = &cli.Failure{Code: cli.ExitFailure} // everything has been said
	}
	return err
}
