package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/spf13/cobra"
)

// A sweptMailbox is what sweep prints; its JSON form is for programs.
type sweptMailbox struct {
	Account string `json:"account"`
	Maildir string `json:"maildir"`
	Removed int    `json:"removed"`
}

func mailboxSweepCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sweep [ADDRESS…]",
		Short: "Remove what killed deliveries left in tmp",
		Long: "Sweep removes files from the tmp directories of mailboxes and of their folders that a delivery of\n" +
			"doorstep left there when it was killed: those with names of its own form that nobody wrote or\n" +
			"read for 36 hours. Nothing else is touched. A server may run meanwhile; it sweeps the mailboxes\n" +
			"that get mail by itself, once a day. Run it as the user who runs the server, or as root where\n" +
			"accounts have owners.\n\n" +
			"Without an address it does so for every [[user]] and the accounts that doorstep user manages.",
		Example: "  doorstep mailbox sweep\n  doorstep mailbox sweep --json alice@example.org",
	}
	file := cli.ConfigFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, last := []sweptMailbox{}, time.Now()
		err := eachMailbox(cmd, *file, args, func(s *mailbox.Store, m accountMailbox) error {
			removed, err := s.Sweep(cmd.Context(), m.dest, mailbox.SweepAge)
			if errors.Is(err, mailbox.ErrNoMailbox) {
				return nil // no mail has come for it yet
			}
			list = append(list, sweptMailbox{address.Shown(m.account.Address), m.dest.String(), removed})
			if now := time.Now(); now.Sub(last) >= progressEvery {
				last = now
				fmt.Fprintf(cmd.ErrOrStderr(), "%d mailboxes so far\n", len(list))
			}
			return err
		})
		return errors.Join(printSwept(cmd.OutOrStdout(), list, *asJSON), err)
	}
	return cmd
}

// printSwept prints those mailboxes from which something was removed, and how many there were; as
// JSON all of them.
func printSwept(w io.Writer, list []sweptMailbox, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(w, list)
	}
	total := 0
	for _, m := range list {
		total += m.Removed
		if m.Removed == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s: %d removed\n", m.Account, m.Removed); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d mailboxes swept, %d files removed\n", len(list), total)
	return err
}
