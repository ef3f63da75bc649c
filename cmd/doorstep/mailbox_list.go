package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/spf13/cobra"
)

// A listedMailbox is what list and quota print; its JSON form is for programs.
type listedMailbox struct {
	Account string        `json:"account"`
	Maildir string        `json:"maildir"`
	Exists  bool          `json:"exists"`
	Used    mailbox.Usage `json:"used"`
	Quota   mailbox.Quota `json:"quota"` // 0: no limit
}

func mailboxListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [ADDRESS…]",
		Short: "List mailboxes, with what they hold and may hold",
		Long: "List prints the mailboxes that addresses lead to. Without an address it prints those of every\n" +
			"[[user]] and of the database that doorstep user manages; accounts of other directories must be\n" +
			"named. What a mailbox holds is taken from its maildirsize, or counted where that says nothing.",
		Example: "  doorstep mailbox list\n  doorstep mailbox list --json alice@example.org",
	}
	file := cli.ConfigFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return listMailboxes(cmd, *file, args, *asJSON, func(s *mailbox.Store, m accountMailbox) (mailbox.Usage, error) {
			return s.Usage(cmd.Context(), m.dest)
		})
	}
	return cmd
}

// listMailboxes prints mailboxes, with what they hold as used says.
func listMailboxes(cmd *cobra.Command, file string, args []string, asJSON bool,
	used func(*mailbox.Store, accountMailbox) (mailbox.Usage, error)) error {
	var list []listedMailbox
	err := eachMailbox(cmd, file, args, func(s *mailbox.Store, m accountMailbox) error {
		holds, err := used(s, m)
		row, err := mailboxRow(m, holds, err)
		if err == nil {
			list = append(list, row)
		}
		return err
	})
	return errors.Join(printMailboxes(cmd.OutOrStdout(), list, asJSON), err)
}

// mailboxRow is the row of a mailbox of which it was asked what it holds. One that is not there yet holds
// nothing.
func mailboxRow(m accountMailbox, used mailbox.Usage, err error) (listedMailbox, error) {
	row := listedMailbox{Account: address.Shown(m.account.Address), Maildir: m.dest.String(), Exists: err == nil,
		Used: used, Quota: m.dest.Quota}
	if errors.Is(err, mailbox.ErrNoMailbox) {
		err = nil
	}
	return row, err
}

func printMailboxes(w io.Writer, list []listedMailbox, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(w, list)
	}
	table := columns.New(w)
	if len(list) > 0 {
		fmt.Fprintln(table, "ACCOUNT\tOCTETS\tOF\tMESSAGES\tOF\tMAILDIR")
	}
	for _, m := range list {
		maildir := m.Maildir
		if !m.Exists {
			maildir += " (not there yet)"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%s\t%s\n", m.Account,
			m.Used.Bytes, bound(m.Used.Bytes, m.Quota.Bytes), m.Used.Messages, bound(m.Used.Messages, m.Quota.Messages), maildir)
	}
	return table.Flush()
}

// bound is a quota, and how much of it is used.
func bound(used, quota int64) string {
	if quota == 0 {
		return "-"
	}
	return strconv.FormatInt(quota, 10) + " (" + strconv.FormatFloat(float64(used)/float64(quota)*100, 'f', 0, 64) + "%)"
}
