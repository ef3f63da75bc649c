package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/spf13/cobra"
)

// A listedMessage is what messages prints; its JSON form is for programs.
type listedMessage struct {
	Account string    `json:"account"`
	Folder  string    `json:"folder"` // "" is the inbox
	File    string    `json:"file"`
	New     bool      `json:"new"`
	Flags   string    `json:"flags"`
	Size    int64     `json:"size"`
	Stored  time.Time `json:"stored"`
	Date    string    `json:"date"` // "" if the message has none that can be read
	From    string    `json:"from"`
	Subject string    `json:"subject"`
}

func mailboxMessagesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "messages ADDRESS",
		Short: "List the messages in a mailbox",
		Long: "Messages prints what a mailbox holds, folder by folder: when each message was written, its flags (N:\n" +
			"new, D: draft, F: flagged, P: passed on, R: replied to, S: seen, T: trashed), its octets on disk, its\n" +
			"author and its subject. It changes nothing, and reads with the rights of the mailbox's owner: run it as\n" +
			"the user who runs the server, or as root where accounts have owners.",
		Example: "  doorstep mailbox messages alice@example.org\n" +
			"  doorstep mailbox messages --json --limit 100000 alice@example.org",
		Args: cli.OneArgument("ADDRESS"),
	}
	limit := limitFlag(cmd, 1000, "most messages of a mailbox that are printed")
	return mailboxVerb(cmd, func(ctx context.Context, s *mailbox.Store, m accountMailbox) ([]listedMessage, error) {
		var list []listedMessage
		account := address.Shown(m.account.Address)
		found, more, err := s.Messages(ctx, m.dest, *limit)
		for _, f := range found {
			list = append(list, messageRow(account, f))
		}
		if more {
			fmt.Fprintf(cmd.ErrOrStderr(), "doorstep: %s has more than %d messages\nhint: --limit says how many to print\n",
				account, *limit)
		}
		return list, err
	}, printMessages)
}

func messageRow(account string, m mailbox.StoredMessage) listedMessage {
	row := listedMessage{
		Account: account, Folder: m.Folder, File: m.File, New: m.New, Flags: m.Flags, Size: m.Size,
		Stored: m.Stored.UTC(), From: m.From, Subject: m.Subject,
	}
	if !m.Date.IsZero() {
		row.Date = m.Date.Format(time.RFC3339)
	}
	return row
}

func printMessages(w io.Writer, list []listedMessage) error {
	table := columns.New(w)
	if len(list) > 0 {
		fmt.Fprintln(table, "FOLDER\tDATE\tFLAGS\tOCTETS\tFROM\tSUBJECT")
	}
	for _, m := range list {
		folder, flags := cmp.Or(m.Folder, "INBOX"), m.Flags
		if m.New {
			flags = "N" + flags
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", plainText(folder, 40), cmp.Or(m.Date, "-"),
			plainText(flags, 10), m.Size, plainText(m.From, 50), plainText(m.Subject, 100))
	}
	return table.Flush()
}

// plainText is a text of a stranger as a cell of a table: on one line, without what a terminal would obey or show in
// another place, and no longer than that many characters.
func plainText(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, text)
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return cmp.Or(text, "-")
}
