package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/cmd/internal/localmail"
	"github.com/doorstep-mail/doorstep/cmd/internal/logging"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/spf13/cobra"
)

// Exit codes of sysexits(3), which those who run a delivery agent go by: with any other code
// some of them bounce the mail.
const (
	exUnavailable = 69 // refused for good
	exNoUser      = 67 // no such recipient
	exTempFail    = 75 // to be tried again, which is also right for every mistake of ours
)

// sysexits marks a verb whose failures are all temporary unless they say otherwise. Before it runs, what fails in
// Go's runtime ends it by a signal: see daemon.FailBySignal.
const sysexits = "sysexits"

// deliverCommand delivers a message without a server, for pipes, getmail and cron.
func deliverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deliver [-f FROM] RECIPIENT…",
		Short: "Deliver a message from standard input",
		Long: "Deliver reads a message from standard input and delivers it to each recipient, as the server\n" +
			"would: same accounts, same rules, as durable. It is for pipes, getmail and cron, and runs as\n" +
			"the user who starts it: that must be one who may write to the mailboxes.\n\n" +
			"It exits with the codes of sysexits(3): 0 when every recipient has the message, 75 when it\n" +
			"should be tried again, 67 when there is no such recipient, 69 when it was refused otherwise.\n" +
			"Of several outcomes 75 wins, so that nothing is lost; who got the message then gets it twice.\n" +
			"A fault of the program itself ends it by a signal. Where there is neither a thread nor memory to\n" +
			"start it, it ends with 2: pipes use /usr/lib/doorstep/deliver, which makes that 75.\n\n" +
			"With --dry-run it touches no mail, and prints for each recipient the reply and where the copies\n" +
			"would go. Without a message only the addresses count.",
		Example: "  doorstep deliver -f bob@example.com alice@example.org <message.eml\n" +
			"  doorstep deliver --dry-run alice@example.org </dev/null",
		Args:        someRecipients,
		Annotations: map[string]string{sysexits: ""},
	}
	path := cli.ConfigFlag(cmd)
	from := cmd.Flags().StringP("from", "f", "", "the reverse-path `address`; empty or <> for the null path")
	dryRun := cmd.Flags().BoolP("dry-run", "n", false, "only say what would become of the message")
	asJSON := cmd.Flags().Bool("json", false, "with --dry-run: print the answers as JSON")
	cmd.RunE = func(cmd *cobra.Command, to []string) error {
		if *asJSON && !*dryRun {
			return cli.Mistake(cmd, errors.New("--json goes with --dry-run"), "a delivery tells by its exit status")
		}
		// Warnings are for doorstep check: getmail takes a word on standard error for a failure,
		// and delivers again.
		var problems strings.Builder
		c, err := cli.LoadConfig(*path, &problems)
		if err != nil {
			fmt.Fprint(cmd.ErrOrStderr(), problems.String())
			return err
		}
		request := localRequest{from: bare(*from), to: to, dryRun: *dryRun, json: *asJSON}
		return request.run(cmd, c)
	}
	return cmd
}

// A localRequest is what the command line asks for.
type localRequest struct {
	from         string
	to           []string
	dryRun, json bool
}

// run delivers the message on standard input, or says what would become of it. A dry run needs none.
func (r localRequest) run(cmd *cobra.Command, c *config.Config) (err error) {
	stdin, stderr := cmd.InOrStdin(), cmd.ErrOrStderr()
	if !r.dryRun {
		if err := daemon.SettleToDeliver(c.Store); err != nil {
			return err
		}
	} else if cli.IsTerminal(stdin) {
		stdin = strings.NewReader("")
	}
	content, err := spool(stdin)
	if err != nil {
		return cli.Failed(err, "")
	}
	defer content.Close()
	// What concerns a recipient is in the outcome.
	level := slog.LevelError
	if r.dryRun {
		level = math.MaxInt
	}
	log := logging.New(c.Log, level, logging.NewOutput(stderr, c.Log.Format))
	agent, err := build.Agent(c, nil, log)
	if err != nil {
		return cli.Failed(err, "doorstep check tells what is wrong with the configuration")
	}
	remembered, err := build.State(c.State, log)
	if err != nil {
		return cli.Failed(err, "doorstep check tells what is wrong with the configuration")
	}
	build.Remember(agent, remembered)
	ctx, cancel := context.WithTimeout(cmd.Context(), c.Limits.TransactionTimeout)
	defer cancel()
	mail, err := localmail.New(agent, c, r.from, r.to, content)
	if err == nil && r.dryRun {
		err = dryRun(ctx, mail, r.json, cmd.OutOrStdout())
	} else if err == nil {
		err = guard.Call(func() error { return mail.Deliver(ctx) })
	}
	if remembered != nil {
		if e := remembered.Close(context.WithoutCancel(ctx)); e != nil { // no reason to deliver again
			log.Debug("close", "error", e)
		}
	}
	if e := errors.Join(build.CloseAgent(context.WithoutCancel(ctx), agent), agent.Store.Close()); e != nil {
		return cli.Failed(errors.Join(err, e), "")
	}
	if err != nil || r.dryRun {
		return err
	}
	return reportDelivered(mail, stderr)
}

func someRecipients(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Mistake(cmd, errors.New("no recipient"), "doorstep deliver alice@example.org <message.eml")
	}
	return nil
}

// bare takes the angle brackets off a path: fetchmail names the null path "<>".
func bare(path string) string {
	if inner, ok := strings.CutPrefix(path, "<"); ok && strings.HasSuffix(inner, ">") {
		return strings.TrimSuffix(inner, ">")
	}
	return path
}

// A dryAnswer is what would become of the message for a recipient.
type dryAnswer struct {
	Recipient string   `json:"recipient"`
	Reply     string   `json:"reply"`
	Accepted  bool     `json:"accepted"`
	Maildirs  []string `json:"maildirs,omitempty"` // or the folders in them
}

// dryRun prints what deliver would do, and touches no mail.
func dryRun(ctx context.Context, l *localmail.Mail, asJSON bool, stdout io.Writer) error {
	answers, code := make([]dryAnswer, len(l.Outcomes)), cli.ExitOK
	previews, err := l.Agent.Preview(ctx, l.Envelope, l.Recipients(), l.Content)
	if err != nil {
		return cli.Failed(fmt.Errorf("read the message: %w", err), "")
	}
	for i := range l.Outcomes {
		o := &l.Outcomes[i]
		answers[i].Recipient = o.Text
		if o.Err == nil {
			p := previews[0]
			previews, o.Err = previews[1:], p.Err
			for _, dest := range p.To {
				answers[i].Maildirs = append(answers[i].Maildirs, dest.String())
			}
		}
		answers[i].Accepted, answers[i].Reply = o.Err == nil, lmtp.RcptReply(o.Err).String()
		code = worse(code, sysexit(o.Err))
	}
	if err := printDry(stdout, answers, asJSON); err != nil {
		return cli.Failed(err, "")
	}
	if code != cli.ExitOK {
		return &cli.Failure{Code: code}
	}
	return nil
}

func printDry(w io.Writer, answers []dryAnswer, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(w, answers)
	}
	for _, a := range answers {
		line := a.Recipient + ": " + a.Reply
		if len(a.Maildirs) > 0 && !a.Accepted {
			line += ", the others get it:"
		} else if len(a.Maildirs) > 0 {
			line += ","
		}
		if len(a.Maildirs) > 0 {
			line += " into " + strings.Join(a.Maildirs, " and ")
		}
		if _, err := fmt.Fprintln(w, address.Readable(line)); err != nil {
			return err
		}
	}
	return nil
}

// reportDelivered says what went wrong, and turns it into an exit code.
func reportDelivered(l *localmail.Mail, stderr io.Writer) error {
	code := cli.ExitOK
	for _, o := range l.Outcomes {
		if o.Err == nil {
			continue
		}
		fmt.Fprintf(stderr, "doorstep: deliver to %s: %s\n", o.Text, address.Readable(lmtp.RcptReply(o.Err).String()))
		code = worse(code, sysexit(o.Err))
	}
	if code != cli.ExitOK {
		return &cli.Failure{Code: code}
	}
	return nil
}

// sysexit is the exit code that says what an outcome says. What is not known to be permanent is temporary.
func sysexit(err error) int {
	refused := (*lmtp.Error)(nil)
	switch {
	case err == nil:
		return cli.ExitOK
	case !errors.As(err, &refused) || refused.Temporary():
		return exTempFail
	case refused.Enhanced == "5.1.1" || refused.Enhanced == "5.1.2":
		return exNoUser
	}
	return exUnavailable
}

// worse is the code that speaks for both: a reason to try again above all.
func worse(a, b int) int {
	switch {
	case a == exTempFail || b == exTempFail:
		return exTempFail
	case a == cli.ExitOK:
		return b
	}
	return a
}
