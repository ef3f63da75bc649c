package main

import (
	"fmt"
	"io"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/spf13/cobra"
)

// progressEvery is how often long work prints how far it is.
const progressEvery = time.Second

func mailboxQuotaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quota [ADDRESS…]",
		Short: "Show what is used of quotas, or count it anew",
		Long: "Quota shows what mailboxes hold of what they may. With --recount it counts the files, and\n" +
			"writes what it found into maildirsize, where deliveries, Dovecot and Courier look. A server may\n" +
			"run meanwhile. Run it as the user who runs the server, or as root where accounts have owners.\n\n" +
			"Without an address it does so for every [[user]] and the accounts that doorstep user manages.",
		Example: "  doorstep mailbox quota alice@example.org\n  doorstep mailbox quota --recount",
	}
	file := cli.ConfigFlag(cmd)
	recount := cmd.Flags().Bool("recount", false, "count the files, whatever maildirsize says")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return listMailboxes(cmd, *file, args, *asJSON, func(s *mailbox.Store, m accountMailbox) (mailbox.Usage, error) {
			if *recount {
				return s.Recount(cmd.Context(), m.dest, progress(cmd.ErrOrStderr(), address.Shown(m.account.Address)))
			}
			return s.Usage(cmd.Context(), m.dest)
		})
	}
	return cmd
}

// progress prints how far a count is, once it takes long.
func progress(w io.Writer, account string) func(mailbox.Usage) {
	last := time.Now()
	return func(u mailbox.Usage) {
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			fmt.Fprintf(w, "%s: %d messages so far\n", account, u.Messages)
		}
	}
}
