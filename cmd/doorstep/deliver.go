package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/internal/guard"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// Exit codes of sysexits(3), which those who run a delivery agent go by: with any other code
// some of them bounce the mail.
const (
	exUnavailable = 69 // refused for good
	exNoUser      = 67 // nobody of that name
	exTempFail    = 75 // to be tried again, which is also right for every mistake of ours
)

// sysexits marks a verb whose failures are all temporary unless they say otherwise.
const sysexits = "sysexits"

// deliverCommand delivers a message without a server, for pipes, getmail and cron.
func deliverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deliver [-f FROM] RECIPIENT…",
		Short: "Deliver a message from standard input",
		Long: "Deliver reads a message from standard input and delivers it to each recipient, as the server\n" +
			"would: same accounts, same rules, as durable. It is for pipes, getmail and cron, and runs as\n" +
			"whoever starts it: that must be the user who may write to the mailboxes.\n\n" +
			"It exits with the codes of sysexits(3): 0 when every recipient has the message, 75 when it\n" +
			"should be tried again, 67 when there is no such recipient, 69 when it was refused otherwise.\n" +
			"Of several outcomes 75 wins, so that nothing is lost; who got the message then gets it twice.",
		Example: "  doorstep deliver -f bob@example.com alice@example.org <message.eml\n" +
			"  doorstep deliver --dry-run alice@example.org </dev/null",
		Args:        someRecipients,
		Annotations: map[string]string{sysexits: ""},
	}
	path := configFlag(cmd)
	from := cmd.Flags().StringP("from", "f", "", "the reverse-path `address`; empty or <> for the null path")
	dryRun := cmd.Flags().BoolP("dry-run", "n", false, "only say what each recipient would be answered")
	asJSON := cmd.Flags().Bool("json", false, "with --dry-run: print the answers as JSON")
	cmd.RunE = func(cmd *cobra.Command, to []string) error {
		if *asJSON && !*dryRun {
			return mistake(cmd, errors.New("--json goes with --dry-run"), "a delivery tells by its exit status")
		}
		// Warnings are for doorstep check: getmail takes a word on standard error for a failure,
		// and delivers again.
		var problems strings.Builder
		c, err := loadConfig(*path, &problems)
		if err != nil {
			fmt.Fprint(cmd.ErrOrStderr(), problems.String())
			return err
		}
		if *dryRun {
			return dryDelivery(cmd.Context(), c, to, *asJSON, cmd.OutOrStdout())
		}
		if err := settleToDeliver(c.Store); err != nil {
			return err
		}
		content, err := spool(cmd.InOrStdin())
		if err != nil {
			return failed(err, "")
		}
		defer content.Close()
		return deliver(cmd.Context(), c, bare(*from), to, content, cmd.ErrOrStderr())
	}
	return cmd
}

func someRecipients(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return mistake(cmd, errors.New("no recipient"), "doorstep deliver alice@example.org <message.eml")
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

// A dryAnswer is the reply that a recipient's RCPT would get.
type dryAnswer struct {
	Recipient string `json:"recipient"`
	Reply     string `json:"reply"`
	Accepted  bool   `json:"accepted"`
}

// dryDelivery tells the reply that each recipient's RCPT would get, and touches no mail.
func dryDelivery(ctx context.Context, c *config.Config, to []string, asJSON bool, stdout io.Writer) error {
	code := exitOK
	var answers []dryAnswer
	for _, recipient := range to {
		found, err := lookup(ctx, c, recipient)
		if err != nil {
			return err
		}
		answers = append(answers, dryAnswer{recipient, found.Reply, found.Accepted})
		var answer client.Reply
		fmt.Sscanf(found.Reply, "%d %s", &answer.Code, &answer.Enhanced)
		code = worse(code, sysexit(answer))
	}
	if err := printDry(stdout, answers, asJSON); err != nil {
		return failed(err, "")
	}
	if code != exitOK {
		return &failure{code: code}
	}
	return nil
}

func printDry(w io.Writer, answers []dryAnswer, asJSON bool) error {
	if asJSON {
		return printJSON(w, answers)
	}
	for _, a := range answers {
		if _, err := fmt.Fprintf(w, "%s: %s\n", a.Recipient, a.Reply); err != nil {
			return err
		}
	}
	return nil
}

// deliver speaks LMTP with a server of its own, at the two ends of a pipe: what the server
// would do with the message is what is done.
func deliver(ctx context.Context, c *config.Config, from string, to []string, content io.ReadSeeker, stderr io.Writer) error {
	log := buildLog(c.Log, slog.LevelError, newLogOutput(stderr, c.Log.Format)) // the rest is in the outcome
	agent, err := buildAgent(c, nil, log)
	if err != nil {
		return failed(err, "doorstep check tells what is wrong with the configuration")
	}
	server := &lmtp.Server{
		Handler:              agent,
		Hostname:             c.Hostname,
		MaxMessageSize:       c.Limits.MessageSize,
		MaxRecipients:        max(c.Limits.Recipients, len(to)),
		TransactionTimeout:   c.Limits.TransactionTimeout,
		Lenient8BitLocalPart: true, // whoever runs this has no way to ask for SMTPUTF8
		Log:                  log,
	}
	near, far := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		guard.Run(log, "delivery", func() { server.ServeConn(far) })
	}()
	outcomes, err := converse(ctx, near, from, to, content)
	<-ended // what was begun is finished before the program ends
	if err := errors.Join(err, closeAgent(context.WithoutCancel(ctx), agent), agent.Store.Close()); err != nil {
		return failed(err, "")
	}
	return reportDelivery(outcomes, stderr)
}

// converse is the client's side.
func converse(ctx context.Context, nc net.Conn, from string, to []string, content io.ReadSeeker) ([]client.Outcome, error) {
	traits, err := client.Inspect(content)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the message: %w", err), nc.Close())
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(fmt.Errorf("read the message again: %w", err), nc.Close())
	}
	c, err := client.New(ctx, nc, client.Options{})
	if err != nil {
		return nil, err
	}
	m := client.Message{From: from, To: to, Content: content, Size: traits.Size, Body: traits.Body()}
	if traits.UTF8Header {
		m.UTF8 = client.UTF8Always
	}
	result, err := c.Send(ctx, m)
	if result == nil {
		return nil, errors.Join(err, c.Close())
	}
	if err == nil {
		err = c.Quit(ctx)
	}
	return result.Recipients, errors.Join(err, c.Close())
}

// reportDelivery says what went wrong, and turns it into an exit code.
func reportDelivery(outcomes []client.Outcome, stderr io.Writer) error {
	code := exitOK
	for _, o := range outcomes {
		if o.Delivered() {
			continue
		}
		answer := o.Final.String()
		if o.Err != nil {
			answer = o.Err.Error()
		}
		fmt.Fprintf(stderr, "doorstep: deliver to %s: %s\n", o.To, address.Readable(answer))
		code = worse(code, sysexit(o.Final))
	}
	if code != exitOK {
		return &failure{code: code}
	}
	return nil
}

// sysexit is the exit code that says what a reply says.
func sysexit(r client.Reply) int {
	switch {
	case r.Positive():
		return exitOK
	case r.Permanent() && (r.Enhanced == "5.1.1" || r.Enhanced == "5.1.2"):
		return exNoUser
	case r.Permanent():
		return exUnavailable
	}
	return exTempFail
}

// worse is the code that speaks for both: a reason to try again above all.
func worse(a, b int) int {
	switch {
	case a == exTempFail || b == exTempFail:
		return exTempFail
	case a == exitOK:
		return b
	}
	return a
}
