package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// devServer is where send sends to when it is not told: the LMTP socket of serve --dev.
const devServer = "tcp:127.0.0.1:2424"

// A sendRequest is what the flags of send say.
type sendRequest struct {
	server, protocol, hello string
	from                    string
	to                      []string
	body, utf8              string
	timeout                 time.Duration
	verbose                 bool
}

// sendCommand is a client for one message.
func sendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send --to ADDRESS [FILE]",
		Short: "Send a message by LMTP or ESMTP",
		Long: "Send hands a message to a server and prints what it answered for each recipient. FILE is a\n" +
			"message with its header; - reads standard input. Without FILE a short message is made up.\n\n" +
			"SMTPUTF8 and BODY=8BITMIME are asked for when the message or an address needs them.\n" +
			"It exits with 0 when every recipient's message was taken, and with 1 when not.",
		Example: "  doorstep send --to alice@example.org\n" +
			"  doorstep send -v --server unix:/run/doorstep/lmtp.sock -f bob@example.com -t alice@example.org message.eml\n" +
			"  doorstep send --server tcp:127.0.0.1:2525 --protocol esmtp --to 用户@例え.example",
		Args: cobra.MaximumNArgs(1),
	}
	r := &sendRequest{}
	flags := cmd.Flags()
	flags.StringVarP(&r.server, "server", "s", devServer, "where to: unix:`PATH` or tcp:HOST:PORT")
	flags.StringVarP(&r.protocol, "protocol", "p", "lmtp", "`lmtp` or esmtp")
	flags.StringVar(&r.hello, "hello", "localhost", "the `name` to say hello with")
	flags.StringVarP(&r.from, "from", "f", "", "the reverse-path `address`; empty for the null path <>")
	flags.StringArrayVarP(&r.to, "to", "t", nil, "a recipient's `address`; may be repeated")
	flags.StringVar(&r.body, "body", "auto", "the BODY parameter: 7bit, 8bitmime, none or `auto`")
	flags.StringVar(&r.utf8, "smtputf8", "auto", "ask for SMTPUTF8: always, never or `auto`")
	flags.DurationVar(&r.timeout, "timeout", 5*time.Minute, "how long to wait for each answer")
	flags.BoolVarP(&r.verbose, "verbose", "v", false, "print the dialogue")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		content, closeContent, err := r.content(args, cmd.InOrStdin())
		if err != nil {
			return err
		}
		defer closeContent()
		return r.send(cmd.Context(), content, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// content opens the message.
func (r *sendRequest) content(args []string, stdin io.Reader) (io.ReadSeeker, func() error, error) {
	nothing := func() error { return nil }
	switch {
	case len(args) == 0:
		return strings.NewReader(r.example()), nothing, nil
	case args[0] == "-":
		file, err := spool(stdin)
		if err != nil {
			return nil, nil, failed(err, "")
		}
		return file, file.Close, nil
	}
	file, err := os.Open(args[0])
	if err != nil {
		return nil, nil, failed(err, "")
	}
	return file, file.Close, nil
}

// spool copies standard input to a file without a name: it is read twice, first to know its
// size and whether it needs an extension.
func spool(stdin io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "doorstep-send-*")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(file, stdin)
	if err = errors.Join(err, os.Remove(file.Name())); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	_, err = file.Seek(0, io.SeekStart)
	return file, err
}

// example is the message that is sent when there is none.
func (r *sendRequest) example() string {
	return fmt.Sprintf("From: <%s>\nTo: <%s>\nDate: %s\nSubject: A message by doorstep send\n"+
		"Mime-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nIt arrived. Grüße, 你好, مرحبا.\n",
		r.from, strings.Join(r.to, ">, <"), time.Now().Format(time.RFC1123Z))
}

// send sends the message and prints what came of it.
func (r *sendRequest) send(ctx context.Context, content io.ReadSeeker, stdout, stderr io.Writer) error {
	if len(r.to) == 0 {
		return usage(errors.New("no recipient"), "doorstep send --to alice@example.org")
	}
	m, err := r.message(content)
	if err != nil {
		return err
	}
	options := client.Options{Hello: r.hello, Timeout: r.timeout}
	switch strings.ToLower(r.protocol) {
	case "lmtp":
	case "esmtp", "smtp":
		options.Protocol = client.ESMTP
	default:
		return usage(fmt.Errorf("protocol %q is not known", r.protocol), "it is lmtp or esmtp")
	}
	if r.verbose {
		options.Trace = func(dir byte, line string) { fmt.Fprintf(stderr, "%c: %s\n", dir, printableLine(line)) }
	}
	if _, _, err := client.ParseTarget(r.server); err != nil {
		return usage(err, "--server unix:PATH or tcp:HOST:PORT")
	}
	c, err := client.Dial(ctx, r.server, options)
	if err != nil {
		return failed(err, r.dialHint(err))
	}
	defer c.Close()
	result, err := c.Send(ctx, m)
	if result == nil {
		return failed(err, "")
	}
	if err == nil {
		_ = c.Quit(ctx) // everything has been answered; the goodbye is a courtesy
	}
	return report(result, stdout)
}

// message is what the flags and the content's own needs say of the envelope.
func (r *sendRequest) message(content io.ReadSeeker) (client.Message, error) {
	traits, err := client.Inspect(content)
	if err != nil {
		return client.Message{}, failed(fmt.Errorf("read the message: %w", err), "")
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return client.Message{}, failed(fmt.Errorf("read the message again: %w", err), "give it by standard input: doorstep send - <FILE")
	}
	m := client.Message{From: r.from, To: r.to, Content: content, Size: traits.Size}
	switch body := strings.ToUpper(r.body); body {
	case "AUTO":
		m.Body = traits.Body()
	case "7BIT", "8BITMIME":
		m.Body = body
	case "NONE":
	default:
		return m, usage(fmt.Errorf("body %q is not known", r.body), "it is auto, 7bit, 8bitmime or none")
	}
	switch strings.ToLower(r.utf8) {
	case "auto":
		if traits.UTF8Header {
			m.UTF8 = client.UTF8Always
		}
	case "always":
		m.UTF8 = client.UTF8Always
	case "never":
		m.UTF8 = client.UTF8Never
	default:
		return m, usage(fmt.Errorf("smtputf8 %q is not known", r.utf8), "it is auto, always or never")
	}
	return m, nil
}

// dialHint guesses why there was no connection.
func (r *sendRequest) dialHint(err error) string {
	if answered := (*client.ReplyError)(nil); errors.As(err, &answered) {
		return "the server may speak the other protocol: try --protocol lmtp or --protocol esmtp"
	}
	return "is a server running there? doorstep serve --dev starts one"
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
		if _, err := fmt.Fprintf(w, "%s: %s\n", o.To, answer); err != nil {
			return err
		}
	}
	if failures > 0 {
		return failed(fmt.Errorf("%d of %s not delivered", failures, count(len(result.Recipients), "recipient")), "")
	}
	return nil
}

// printableLine keeps a server's octets from playing with the terminal.
func printableLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
