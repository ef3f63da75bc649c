package main

import (
	"context"
	"errors"
	"fmt"
	"io"

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
			"doorstep left there when it was killed: those with names of its own form that were neither\n" +
			"written nor read for 36 hours. Nothing else is touched. A server may run meanwhile; it sweeps the mailboxes\n" +
			"that get mail by itself, once a day. Run it as the user who runs the server, or as root where\n" +
			"accounts have owners.\n\n" +
			"Without an address it does so for every [[user]] and all accounts of each [[directory]].",
		Example: "  doorstep mailbox sweep\n  doorstep mailbox sweep --json alice@example.org",
	}
	soFar, n := progress(cmd), 0
	return mailboxVerb(cmd, func(ctx context.Context, s *mailbox.Store, m accountMailbox) ([]sweptMailbox, error) {
		removed, err := s.Sweep(ctx, m.dest, mailbox.SweepAge)
		if errors.Is(err, mailbox.ErrNoMailbox) {
			return nil, err
		}
		n++
		soFar("%d mailboxes so far", n)
		return []sweptMailbox{{address.Shown(m.account.Address), m.dest.String(), removed}}, err
	}, printSwept)
}

// printSwept prints those mailboxes from which something was removed, and how many there were.
func printSwept(w io.Writer, list []sweptMailbox) error {
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
