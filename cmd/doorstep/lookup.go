package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/spf13/cobra"
)

// lookupCommand explains what would happen to an address.
func lookupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lookup ADDRESS",
		Short: "Explain where mail for an address goes",
		Long: "Lookup prints each step from an address to its mailbox, and the reply that RCPT would get.\n" +
			"It asks the same directories as the server, and touches no mail.\n\n" +
			"It exits with 0 when the address would be accepted, and with 1 when not.",
		Example: "  doorstep lookup alice+news@example.org\n  doorstep lookup --json 用户@例え.example",
		Args:    cli.OneArgument("ADDRESS"),
	}
	file := cli.ConfigFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := cli.LoadConfig(*file, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		found, err := lookup(cmd.Context(), c, address.Unescape(args[0]))
		if err != nil {
			return err
		}
		if *asJSON {
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			err = encoder.Encode(found)
		} else {
			err = found.print(cmd.OutOrStdout())
		}
		if err == nil && !found.Accepted {
			err = &cli.Failure{Code: cli.ExitFailure}
		}
		return err
	}
	return cmd
}

// A lookupResult is what lookup prints; its JSON form is for programs.
type lookupResult struct {
	Address   string          `json:"address"`
	Steps     []lookupStep    `json:"steps"`
	Mailboxes []lookupMailbox `json:"mailboxes,omitempty"`
	Reply     string          `json:"reply"`
	Reason    string          `json:"reason,omitempty"` // what the log has of it, and not the reply
	Accepted  bool            `json:"accepted"`
	// SuccessReport is who reports a delivery to a sender who asks for that (RFC 3461), where the address is accepted.
	SuccessReport reporter `json:"success_report,omitempty"`

	submission bool // there is one; without, the table need not speak of reports
}

// A reporter is who sends reports of success.
type reporter string

// The reporters, with what lookup says of them.
const (
	reportsServer reporter = "server" // this one
	reportsMTA    reporter = "mta"
	reportsEither reporter = "listener" // it depends on the listener
)

var reporterTexts = map[reporter]string{
	reportsServer: "by this server, while it offers DSN: doorstep status says whether it does",
	reportsMTA:    "by the MTA, as DSN is not offered",
	reportsEither: "by this server where the client comes by a listener with dsn, else by the MTA",
}

// reporterOf is who sends them with a configuration.
func reporterOf(c *config.Config) reporter {
	offering := 0
	for _, l := range c.Listen {
		if l.DSN {
			offering++
		}
	}
	switch offering {
	case 0:
		return reportsMTA
	case len(c.Listen):
		return reportsServer
	}
	return reportsEither
}

// A lookupMailbox is what the address leads to: one, or several where it is an alias.
type lookupMailbox struct {
	Account string `json:"account"`
	Detail  string `json:"detail,omitempty"`
	Maildir string `json:"maildir"`
	Owner   string `json:"owner,omitempty"` // uid:gid
	Quota   int64  `json:"quota,omitempty"`

	QuotaMessages int64          `json:"quota_messages,omitempty"`
	Used          *mailbox.Usage `json:"used,omitempty"` // with a quota, where it is known
}

// used is how much of a quota is used, as far as that is known: "5 of ".
func (m lookupMailbox) used(of func(mailbox.Usage) int64) string {
	if m.Used == nil {
		return ""
	}
	return strconv.FormatInt(of(*m.Used), 10) + " of "
}

// A lookupStep is a route.Step with the names it has in JSON.
type lookupStep struct {
	Rule   string `json:"rule"`
	Input  string `json:"input"`
	Result string `json:"result"`
	// Path are the targets of aliases that led there.
	Path []string `json:"path,omitempty"`
}

// lookup resolves an address as RCPT would.
func lookup(ctx context.Context, c *config.Config, text string) (*lookupResult, error) {
	to, err := address.Parser{UTF8: true}.ForwardPath(text)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("address %q: %w", text, err), "write it as local@domain, without angle brackets")
	}
	agent, err := build.Agent(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, cli.Failed(err, "doorstep check tells what is wrong with the configuration")
	}
	remembered, err := build.State(c.State, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, cli.Failed(err, "doorstep check tells what is wrong with the configuration")
	}
	build.Remember(agent, remembered)
	decision := agent.Router.Explain(ctx, &lmtp.Envelope{}, &lmtp.Recipient{To: to})
	result := &lookupResult{
		Address: to.Log(), Accepted: decision.Err == nil, Reply: lmtp.RcptReply(decision.Err).String(),
	}
	if refused := (*lmtp.Error)(nil); errors.As(decision.Err, &refused) && refused.Cause != nil {
		result.Reason = refused.Cause.Error()
	}
	for _, step := range decision.Steps {
		result.Steps = append(result.Steps, lookupStep(step))
	}
	if overlap := (*directory.Overlap)(nil); errors.As(decision.Err, &overlap) {
		result.Steps = append(result.Steps,
			lookupStep{Rule: "twice", Input: overlap.Key.String(), Result: build.OverlapHint})
	}
	for _, action := range decision.Actions {
		result.Mailboxes = append(result.Mailboxes, mailboxOf(ctx, agent.Store, action))
		result.tellUnreachable(ctx, agent, action)
	}
	if result.Accepted {
		result.SuccessReport, result.submission = reporterOf(c), c.Submission.IsOn()
	}
	return result, nil
}

// tellUnreachable says of an account whose mail waits that it does, which RCPT does not ask: its home directory neither
// is there nor will be made, or its Maildir is something else, such as a symbolic link. Where homes are not made the
// present user may not be able to look, and nothing is said.
func (r *lookupResult) tellUnreachable(ctx context.Context, agent *delivery.Agent, action route.Action) {
	dest := action.Dest()
	if !r.Accepted {
		return
	}
	err := agent.Store.Reachable(ctx, dest)
	if dest.Fixed == "" && !errors.Is(err, mailbox.ErrNotMaildir) {
		return
	}
	if err != nil {
		err = agent.Router.ReplyFor(action, err)
		r.Accepted, r.Reply = false, lmtp.RcptReply(err).String()
		r.Steps = append(r.Steps, lookupStep{
			Rule: "maildir", Input: address.Shown(action.For().Account.Address), Result: err.Error(),
		})
	}
}

// mailboxOf is the place to which mail goes by an action, and how full it is.
func mailboxOf(ctx context.Context, store *mailbox.Store, action route.Action) lookupMailbox {
	dest, box := action.Dest(), action.For()
	m := lookupMailbox{
		Account: address.Shown(box.Account.Address), Detail: box.Detail, Maildir: dest.String(),
		Quota: dest.Quota.Bytes, QuotaMessages: dest.Quota.Messages,
	}
	if dest.Owner != (mailbox.Owner{}) {
		m.Owner = dest.Owner.String()
	}
	if dest.Quota != (mailbox.Quota{}) {
		used, err := store.Usage(ctx, dest)
		if err == nil || errors.Is(err, mailbox.ErrNoMailbox) {
			m.Used = &used
		}
	}
	return m
}

// A lookupBranch is what came of one target of an alias, or of the address itself.
type lookupBranch struct {
	target string
	steps  []lookupStep
	under  []*lookupBranch
}

// branches are the steps as a tree.
func (r *lookupResult) branches() *lookupBranch {
	root := &lookupBranch{}
	for _, s := range r.Steps {
		at := root
		for _, target := range s.Path {
			i := slices.IndexFunc(at.under, func(b *lookupBranch) bool { return b.target == target })
			if i < 0 {
				i = len(at.under)
				at.under = append(at.under, &lookupBranch{target: target})
			}
			at = at.under[i]
		}
		at.steps = append(at.steps, s)
	}
	return root
}

// print shows the steps as rows, those of several targets each under its own.
func (b *lookupBranch) print(w io.Writer, indent string) {
	for _, s := range b.steps {
		fmt.Fprintf(w, "%s%s\t%s\t→ %s\n", indent, s.Rule, s.Input, s.Result)
	}
	for i, under := range b.under {
		switch {
		case len(b.under) == 1:
			under.print(w, indent)
		case i < len(b.under)-1:
			fmt.Fprintf(w, "%s├ %s\n", indent, under.target)
			under.print(w, indent+"│ ")
		default:
			fmt.Fprintf(w, "%s└ %s\n", indent, under.target)
			under.print(w, indent+"  ")
		}
	}
}

// explained reports whether a step says why the address is refused.
func (r *lookupResult) explained() bool {
	return slices.ContainsFunc(r.Steps, func(s lookupStep) bool { return strings.HasSuffix(r.Reason, s.Result) })
}

// print shows the steps as a table, and what came of them.
func (r *lookupResult) print(w io.Writer) error {
	table := columns.New(w)
	r.branches().print(table, "")
	for _, m := range r.Mailboxes {
		for _, row := range [][2]string{
			{"account", m.Account}, {"detail", m.Detail}, {"maildir", m.Maildir}, {"owner", m.Owner},
		} {
			if row[1] != "" {
				fmt.Fprintf(table, "%s\t= %s\n", row[0], row[1])
			}
		}
		if m.Quota > 0 {
			fmt.Fprintf(table, "quota\t= %s%d octets\n", m.used(func(u mailbox.Usage) int64 { return u.Bytes }), m.Quota)
		}
		if m.QuotaMessages > 0 {
			fmt.Fprintf(table, "quota\t= %s%d messages\n", m.used(func(u mailbox.Usage) int64 { return u.Messages }),
				m.QuotaMessages)
		}
	}
	fmt.Fprintf(table, "reply\t= %s\n", r.Reply)
	if r.submission && r.SuccessReport != "" {
		fmt.Fprintf(table, "report\t= %s\n", reporterTexts[r.SuccessReport])
	}
	if r.Reason != "" && !r.explained() {
		fmt.Fprintf(table, "reason\t= %s\n", r.Reason)
	}
	return table.Flush()
}
