package outgoing

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/report"
	"github.com/doorstep-mail/doorstep/delivery/sender"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/spf13/cobra"
)

// A Shown entry is what show prints; its JSON form is for programs.
type Shown struct {
	Listed
	EnvelopeID string    `json:"envelope_id,omitempty"`
	Original   string    `json:"original,omitempty"` // the recipient that the sender named, with its type
	Arrived    time.Time `json:"arrived,omitzero"`
	// Message is the report as it would be sent, and UTF8 says that this takes SMTPUTF8.
	Message string `json:"message,omitempty"`
	UTF8    bool   `json:"smtputf8"`
}

func showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ENTRY",
		Short: "Show an entry of the outbox, and the report that it becomes",
		Long: "Show prints what is known of an entry, and the report as it would be sent to a server that offers\n" +
			"SMTPUTF8 and DSN. Entries of one message that wait at the same time leave as one report, with the\n" +
			"recipients of all; its Date is made anew.\n\n" +
			"It exits with 1 where the entry is damaged: there is no report of it.\n\n" + rights,
		Example: "  doorstep outbox show 1795830925123456789.4VEYBJHNBI.mail.example.org",
		Args:    cli.OneArgument("ENTRY"),
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	return verb(cmd, func(cmd *cobra.Command, c *config.Config, args []string) error {
		f, err := outbox.Find(c.Submission.Outbox, args[0])
		if err != nil {
			return failed(args[0], c.Submission.Outbox, err)
		}
		s := Shown{Listed: listed(f, c, triesOf(c))}
		if f.Err == nil {
			s.EnvelopeID, s.Arrived = f.Entry.EnvelopeID, f.Entry.Arrived.UTC()
			if !f.Entry.Original.IsZero() {
				s.Original = f.Entry.Original.Header(true)
			}
			f.Err = s.render(f.Entry, c)
		}
		if err == nil && *asJSON {
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			err = encoder.Encode(s)
		} else if err == nil {
			err = s.print(cmd.OutOrStdout())
		}
		if err == nil && f.Err != nil {
			err = unreadable(f, c.Submission.Outbox)
		}
		return err
	})
}

// unreadable is the failure that there is no report of an entry.
func unreadable(f outbox.File, dir string) *cli.Failure {
	suggestion := whyNotRead(f.Err)
	if suggestion == "" {
		part := "new"
		if f.Aside {
			part = "failed"
		}
		suggestion = "it is " + filepath.Join(dir, part, f.Name)
	}
	return cli.Failed(fmt.Errorf("%s cannot be sent: %w", address.Readable(f.Name), f.Err), address.Readable(suggestion))
}

// everything is what a server may offer that a report makes use of.
var everything = report.Offer{SMTPUTF8: true, DSN: true}

// render writes the report.
func (s *Shown) render(e outbox.Entry, c *config.Config) error {
	from := sender.Sender{Hostname: c.Hostname, From: c.Submission.Reports.From}
	m, err := from.Message([]outbox.Entry{e}, everything)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(m.Content) // from memory
	s.Message, s.UTF8 = string(text), m.UTF8 == client.UTF8Always
	return err
}

// print shows the facts, and then the report.
func (s *Shown) print(w io.Writer) error {
	table := columns.New(w)
	for _, row := range [][2]string{
		{"entry", s.Entry}, {"state", s.State}, {"kind", s.Kind}, {"sender", s.Sender}, {"recipient", s.Recipient},
		{"original recipient", s.Original}, {"envelope id", s.EnvelopeID}, {"transaction", s.Transaction},
		{"arrived", when(s.Arrived)}, {"queued", when(s.Queued)}, {"machine", s.Host}, {"octets", fmt.Sprint(s.Size)},
		{"tried", s.tried()}, {"error", s.Error},
	} {
		if row[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", row[0], address.Readable(row[1]))
		}
	}
	if err := table.Flush(); err != nil || s.Message == "" {
		return err
	}
	_, err := io.WriteString(w, "\n"+address.ReadableLines(strings.ReplaceAll(s.Message, "\r\n", "\n")))
	return err
}

// tried says how often a server has tried, and when it will; "" where that is not known.
func (s *Shown) tried() string {
	switch {
	case s.Tries == nil:
		return ""
	case s.Next.IsZero():
		return cli.Count(*s.Tries, "time")
	}
	return cli.Count(*s.Tries, "time") + ", not before " + when(s.Next)
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.RFC3339)
}
