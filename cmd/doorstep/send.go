package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/loadtest"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/spf13/cobra"
)

// devServer is where send sends to when no server is named: the LMTP socket of serve --dev.
const devServer = "tcp:127.0.0.1:2424"

// A sendRequest is what the flags of send say.
type sendRequest struct {
	server, protocol, hello string
	from                    string
	to                      []string
	body, utf8              string
	dsn                     sendDSN
	timeout, wait           time.Duration
	verbose                 bool
	security                sendSecurity
	load                    loadtest.Load
}

// sendCommand is a client for one message.
func sendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send --to ADDRESS [FILE]",
		Short: "Send a message by LMTP or ESMTP",
		Long: "Send hands a message to a server and prints what it answered for each recipient. FILE is a\n" +
			"message with its header; - reads standard input. Without FILE a short message is made up.\n\n" +
			"SMTPUTF8 and BODY=8BITMIME are asked for when the message or an address needs them. Reports (RFC 3461)\n" +
			"are asked for with --notify, --ret, --envid and --orcpt, of a server that offers DSN.\n" +
			"With --count it is a load: that many messages over --sessions connections at once, with progress on a\n" +
			"terminal, and the rate and latencies at the end. It exits with 0 when every recipient's message was\n" +
			"taken, and with 1 when not.",
		Example: "  doorstep send --to alice@example.org\n" +
			"  doorstep send -v --server unix:/run/doorstep/lmtp.sock -f bob@example.com -t alice@example.org message.eml\n" +
			"  doorstep send --server tcp:127.0.0.1:2525 --protocol esmtp --to 用户@例え.example",
		Args: cli.AtMostOneArgument,
	}
	r := &sendRequest{protocol: "lmtp", body: "auto", utf8: "auto"}
	flags := cmd.Flags()
	flags.StringVarP(&r.server, "server", "s", devServer, "where to: unix:`PATH` or tcp:HOST:PORT")
	flags.VarP(&cli.Choice{Word: &r.protocol, Words: []string{"lmtp", "esmtp"}}, "protocol", "p", "`lmtp` or esmtp")
	flags.StringVar(&r.hello, "hello", "localhost", "the `name` to say hello with")
	flags.StringVarP(&r.from, "from", "f", "", "the reverse-path `address`; empty for the null path <>")
	flags.StringArrayVarP(&r.to, "to", "t", nil, "a recipient's `address`; may be repeated")
	flags.Var(&cli.Choice{Word: &r.body, Words: []string{"auto", "7bit", "8bitmime", "none"}}, "body",
		"the BODY parameter: 7bit, 8bitmime, none or `auto`")
	flags.Var(&cli.Choice{Word: &r.utf8, Words: []string{"auto", "always", "never"}}, "smtputf8",
		"ask for SMTPUTF8: always, never or `auto`")
	r.dsn.flags(flags)
	_ = cmd.RegisterFlagCompletionFunc("server",
		cobra.FixedCompletions([]string{"unix:", "tcp:"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	r.security.flags(flags)
	r.load.Flags(flags)
	flags.DurationVar(&r.timeout, "timeout", 5*time.Minute, "how long to wait for each answer")
	flags.DurationVar(&r.wait, "wait", 5*time.Second,
		"how long to wait for a server that does not listen yet; 0 to give up at once")
	flags.BoolVarP(&r.verbose, "verbose", "v", false, "print the dialogue")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := r.check(); err != nil {
			return err
		}
		if err := r.load.Check(flags.Changed); err != nil {
			return err
		}
		content, closeContent, err := r.content(args, cmd.InOrStdin())
		if err != nil {
			return err
		}
		defer closeContent() //nolint:errcheck // it was only read
		if r.load.Count > 1 {
			return r.sendMany(cmd.Context(), content, cmd.OutOrStdout(), cmd.ErrOrStderr())
		}
		return r.send(cmd.Context(), content, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// check finds mistakes in the flags, before anything is read or sent.
func (r *sendRequest) check() error {
	if len(r.to) == 0 {
		return cli.Usage(errors.New("send: no recipient"), "doorstep send --to alice@example.org")
	}
	if r.timeout <= 0 {
		return cli.Usage(fmt.Errorf("send: --timeout %v is out of range", r.timeout), "write 30s or 5m")
	}
	if r.wait < 0 {
		return cli.Usage(fmt.Errorf("send: --wait %v is negative", r.wait), "0 to give up at once")
	}
	if _, err := address.WireDomain(r.hello); err != nil {
		return cli.Usage(fmt.Errorf("send: --hello %s: %w", address.Readable(strconv.Quote(r.hello)), err),
			"a name such as client.example.org, or an address such as [192.0.2.1]")
	}
	if _, _, err := client.ParseTarget(r.server); err != nil {
		return cli.Usage(fmt.Errorf("send: %w", err), "--server unix:PATH or tcp:HOST:PORT")
	}
	if err := r.dsn.check(len(r.to)); err != nil {
		return err
	}
	if err := r.envelope().Check(); err != nil {
		return cli.Usage(fmt.Errorf("send: %w", err), "")
	}
	return r.security.check()
}

// send sends the message and prints what came of it.
func (r *sendRequest) send(ctx context.Context, content io.ReadSeeker, stdout, stderr io.Writer) error {
	m, err := r.message(content)
	if err != nil {
		return err
	}
	c, _, err := r.dial(ctx, stderr)
	if err != nil {
		return err
	}
	defer c.Close()
	result, err := c.Send(ctx, m)
	if result == nil {
		return cli.Failed(err, "")
	}
	if err == nil {
		_ = c.Quit(ctx) // everything has been answered; the goodbye is a courtesy
	}
	return report(result, stdout)
}

// maxLoadContent bounds the message of a load, which is kept in memory.
const maxLoadContent = 256 << 20

// sendMany sends the load and prints what was measured.
func (r *sendRequest) sendMany(ctx context.Context, content io.ReadSeeker, stdout, stderr io.Writer) error {
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	m, err := r.message(content)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(content, maxLoadContent+1))
	switch {
	case err != nil:
		return cli.Failed(fmt.Errorf("read the message: %w", err), "")
	case len(text) > maxLoadContent:
		return cli.Usage(errors.New("send: the message of a load may have 256 MiB"), "send it once, without --count")
	}
	first, options, err := r.dial(ctx, stderr) // one error rather than as many as messages
	if err != nil {
		return err
	}
	return r.load.Run(ctx, loadtest.Target{Server: r.server, Options: options, First: first, Message: m, Content: text},
		stdout, stderr)
}

// report prints an answer for each recipient.
func report(result *client.Result, w io.Writer) error {
	failures := 0
	for _, o := range result.Recipients {
		answer := o.Final.String()
		if o.Err != nil {
			answer = o.Err.Error()
		}
		if !o.Delivered() {
			failures++
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", o.To, address.Readable(answer)); err != nil {
			return err
		}
	}
	if failures > 0 {
		return cli.Failed(fmt.Errorf("%d of %s not delivered", failures, cli.Count(len(result.Recipients), "recipient")), "")
	}
	return nil
}
