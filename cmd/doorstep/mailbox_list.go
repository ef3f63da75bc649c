package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

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
	return mailboxVerb(&cobra.Command{
		Use:   "list [ADDRESS…]",
		Short: "List mailboxes, with what they hold and may hold",
		Long: "List prints the mailboxes that addresses lead to. Without an address it prints those of every\n" +
			"[[user]] and of all accounts of each [[directory]]; those of the system must be named, and with\n" +
			"queries of your own iterate_query or iterate_filter finds them.\n" +
			"What a mailbox holds is taken from its maildirsize, or counted where that says nothing.",
		Example: "  doorstep mailbox list\n  doorstep mailbox list --json alice@example.org",
	}, func(ctx context.Context, s *mailbox.Store, m accountMailbox) ([]listedMailbox, error) {
		used, err := s.Usage(ctx, m.dest)
		return mailboxRow(m, used, err)
	}, printMailboxes)
}

func mailboxQuotaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quota [ADDRESS…]",
		Short: "Show what is used of quotas, or count it anew",
		Long: "Quota shows what mailboxes hold of what they may. With --recount it counts the files, and\n" +
			"writes what it found into maildirsize, where deliveries, Dovecot and Courier look. A server may\n" +
			"run meanwhile. Run it as the user who runs the server, or as root where accounts have owners.\n\n" +
			"Without an address it does so for every [[user]] and all accounts of each [[directory]].",
		Example: "  doorstep mailbox quota alice@example.org\n  doorstep mailbox quota --recount",
	}
	recount := cmd.Flags().Bool("recount", false, "count the files, whatever maildirsize says")
	return mailboxVerb(cmd, func(ctx context.Context, s *mailbox.Store, m accountMailbox) ([]listedMailbox, error) {
		if !*recount {
			used, err := s.Usage(ctx, m.dest)
			return mailboxRow(m, used, err)
		}
		soFar := progress(cmd)
		used, err := s.Recount(ctx, m.dest, func(u mailbox.Usage) {
			soFar("%s: %d messages so far", address.Shown(m.account.Address), u.Messages)
		})
		return mailboxRow(m, used, err)
	}, printMailboxes)
}

// mailboxRow is the row of a mailbox of which it was asked what it holds. One that is not there yet holds nothing.
func mailboxRow(m accountMailbox, used mailbox.Usage, err error) ([]listedMailbox, error) {
	if err != nil && !errors.Is(err, mailbox.ErrNoMailbox) {
		return nil, err
	}
	return []listedMailbox{{Account: address.Shown(m.account.Address), Maildir: m.dest.String(), Exists: err == nil,
		Used: used, Quota: m.dest.Quota}}, nil
}

func printMailboxes(w io.Writer, list []listedMailbox) error {
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
