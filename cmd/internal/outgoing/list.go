package outgoing

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
)

// A Listed entry is what list prints; its JSON form is for programs.
type Listed struct {
	Entry string `json:"entry"`
	// State is waiting, aside for what is not sent any more, elsewhere for what another machine sends, and stray for what
	// is no entry.
	State string `json:"state"`
	Kind  string `json:"kind,omitempty"` // report is success, failure that mailboxes of an alias were left out
	// Sender gets the report, and Recipient is whom it is about.
	Sender      string    `json:"sender,omitempty"`
	Recipient   string    `json:"recipient,omitempty"`
	Transaction string    `json:"transaction,omitempty"`
	Host        string    `json:"host,omitempty"`
	Queued      time.Time `json:"queued,omitzero"`
	Size        int64     `json:"size"`
	// Tries and Next are known from the running server.
	Tries *int      `json:"tries,omitempty"`
	Next  time.Time `json:"next,omitzero"`
	Error string    `json:"error,omitempty"` // why it cannot be read
}

// The states of an entry.
const (
	waiting   = "waiting"
	aside     = "aside"
	elsewhere = "elsewhere"
	stray     = "stray"
)

func listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what waits in the outbox",
		Long: "List prints what waits to be handed to the MTA, the oldest first: the name of the entry, who gets the\n" +
			"report, the recipient that it is about, its age and size, and where the server runs how often it was\n" +
			"tried and when it will be. Damaged entries that were set aside are listed too, and those of other\n" +
			"machines in the same directory.\n\n" + rights,
		Example: "  doorstep outbox list\n  doorstep outbox list --json | jq 'map(select(.state == \"aside\"))'",
		Args:    cli.NoArguments,
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	return verb(cmd, func(cmd *cobra.Command, c *config.Config, _ []string) error {
		files, err := outbox.List(c.Submission.Outbox)
		if err != nil {
			return cli.Failed(err, whyNotRead(err))
		}
		tries := triesOf(c)
		list := make([]Listed, len(files))
		for i, f := range files {
			list[i] = listed(f, c, tries)
		}
		if *asJSON {
			return cli.PrintJSON(cmd.OutOrStdout(), list)
		}
		return printList(cmd.OutOrStdout(), list, time.Now())
	})
}

// triesOf asks the running server what it knows of entries. Where none runs, or it does not answer this user, nothing
// is known.
func triesOf(c *config.Config) map[string]outbox.Try {
	var r daemon.OutboxReport
	if c.Control.Socket == "" || cli.Order(c.Control.Socket, "outbox", &r) != nil {
		return nil
	}
	tries := map[string]outbox.Try{}
	for _, t := range r.Tries {
		tries[t.Entry] = t
	}
	return tries
}

// listed is the row of a file.
func listed(f outbox.File, c *config.Config, tries map[string]outbox.Try) Listed {
	l := Listed{
		Entry: f.Name, State: waiting, Sender: f.Entry.Sender, Recipient: f.Entry.Final,
		Transaction: f.Entry.Transaction, Host: f.Host, Queued: f.Since.UTC(), Size: f.Size,
	}
	switch {
	case f.Aside:
		l.State = aside
	case f.Host == "":
		l.State = stray
	case f.Host != c.Hostname:
		l.State = elsewhere
	}
	if f.Since.IsZero() {
		l.Queued = time.Time{}
	}
	if f.Err != nil {
		l.Error = f.Err.Error()
	} else {
		l.Kind = f.Entry.Kind()
	}
	if t, ok := tries[f.Name]; ok {
		l.Tries, l.Next = &t.Tries, t.Next
	}
	return l
}

func printList(w io.Writer, list []Listed, now time.Time) error {
	table := columns.New(w)
	if len(list) > 0 {
		fmt.Fprintln(table, "ENTRY\tSTATE\tKIND\tSENDER\tRECIPIENT\tAGE\tOCTETS\tTRIES\tNEXT")
	}
	count := map[string]int{}
	for _, l := range list {
		count[l.State]++
		age, tries, next := "-", "-", "-"
		if !l.Queued.IsZero() {
			age = status.Long(now.Sub(l.Queued))
		}
		if l.Tries != nil {
			tries, next = fmt.Sprint(*l.Tries), "now"
			if l.Next.After(now) {
				next = "in " + status.Long(l.Next.Sub(now))
			}
		}
		if l.Error != "" {
			next = cell(l.Error)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", cell(l.Entry), l.State, cell(l.Kind), cell(l.Sender),
			cell(l.Recipient), age, l.Size, tries, next)
	}
	fmt.Fprintln(table, summary(count))
	return table.Flush()
}

// summary says how many there are of each state.
func summary(count map[string]int) string {
	text := "nothing waits"
	if n := count[waiting]; n > 0 {
		text = cli.Count(n, "report") + " waiting"
	}
	if n := count[aside]; n > 0 {
		text += fmt.Sprintf(", %d set aside", n)
	}
	if n := count[elsewhere]; n > 0 {
		text += fmt.Sprintf(", %d of other machines", n)
	}
	if n := count[stray]; n > 0 {
		text += fmt.Sprintf(", %d that are no entries", n)
	}
	return text
}

// widest is the most characters of an address that a table shows; --json has them whole.
const widest = 100

// cell is a text of a stranger as a cell of a table.
func cell(text string) string { return cmp.Or(address.Readable(address.Cut(text, widest)), "-") }
