package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/spf13/cobra"
)

// A verifiedMailbox is what verify prints; its JSON form is for programs.
type verifiedMailbox struct {
	Account  string            `json:"account"`
	Maildir  string            `json:"maildir"`
	Messages int               `json:"messages"`
	Findings []verifiedFinding `json:"findings"`
	More     int               `json:"more"` // findings beyond the limit
}

// A verifiedFinding is something wrong in a mailbox.
type verifiedFinding struct {
	Folder string `json:"folder"` // "" is the inbox
	File   string `json:"file"`   // "" is the folder itself
	Rule   string `json:"rule"`
	Wrong  string `json:"wrong"`
	Hint   string `json:"hint"`
}

func mailboxVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [ADDRESS…]",
		Short: "Look for what is wrong in mailboxes",
		Long: "Verify looks into mailboxes and their folders for names that are wrong, sizes in names (S=, W=) that are\n" +
			"not those of the files, two messages with one unique part, what is no message in new and cur, files that\n" +
			"have been in tmp for 36 hours, wrong owners and modes, and directories that are missing. It prints a line\n" +
			"for each finding, and exits with 1 if there is one. It changes nothing, follows no links, and reads with\n" +
			"the rights of each mailbox's owner: run it as the user who runs the server, or as root where accounts\n" +
			"have owners. Messages with W= in their names are read as a whole. A server may run meanwhile.\n\n" +
			"Without an address it does so for every [[user]] and all accounts of each [[directory]].",
		Example: "  doorstep mailbox verify\n  doorstep mailbox verify --json alice@example.org",
	}
	limit := limitFlag(cmd, 100, "most findings of a mailbox that are printed")
	wrong := 0
	cmd.PostRunE = func(*cobra.Command, []string) error {
		if wrong > 0 {
			return &cli.Failure{Code: cli.ExitFailure} // everything has been said
		}
		return nil
	}
	soFar, n := progress(cmd), 0
	return mailboxVerb(cmd, func(ctx context.Context, s *mailbox.Store, m accountMailbox) ([]verifiedMailbox, error) {
		found, err := s.Verify(ctx, m.dest, *limit)
		if errors.Is(err, mailbox.ErrNoMailbox) {
			return nil, err
		}
		row := verifiedRow(m, found)
		wrong += len(row.Findings) + row.More
		if asJSON, e := cmd.Flags().GetBool("json"); e == nil && !asJSON { // each as soon as it is known
			err = errors.Join(err, printFindings(cmd.OutOrStdout(), row))
		}
		n++
		soFar("%d mailboxes so far", n)
		return []verifiedMailbox{row}, err
	}, printVerified)
}

// verifiedRow makes what was found fit to be shown: names of files can have any octets.
func verifiedRow(m accountMailbox, found mailbox.Verified) verifiedMailbox {
	row := verifiedMailbox{
		Account: address.Shown(m.account.Address), Maildir: address.Readable(m.dest.String()),
		Messages: found.Messages, Findings: []verifiedFinding{}, More: found.More,
	}
	for _, f := range found.Findings {
		row.Findings = append(row.Findings, verifiedFinding{
			Folder: address.Readable(f.Folder), File: address.Readable(f.File),
			Rule: f.Rule, Wrong: address.Readable(f.Wrong), Hint: f.Hint,
		})
	}
	return row
}

// printFindings prints a line for each finding.
func printFindings(w io.Writer, m verifiedMailbox) error {
	for _, f := range m.Findings {
		where := cmp.Or(f.Folder, "INBOX")
		if f.File != "" {
			where += ": " + f.File
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s (hint: %s)\n", m.Account, where, f.Wrong, f.Hint); err != nil {
			return err
		}
	}
	if m.More == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s: and %d more (hint: --limit says how many to print)\n", m.Account, m.More)
	return err
}

// printVerified prints a summary.
func printVerified(w io.Writer, list []verifiedMailbox) error {
	messages, wrong := 0, 0
	for _, m := range list {
		messages += m.Messages
		wrong += len(m.Findings) + m.More
	}
	_, err := fmt.Fprintf(w, "%s verified, %s, %s\n", cli.Plural(len(list), "mailbox", "mailboxes"),
		cli.Count(messages, "message"), cli.Count(wrong, "finding"))
	return err
}
