package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/spf13/pflag"
)

// The message that send sends.

// content opens the message.
func (r *sendRequest) content(args []string, stdin io.Reader) (io.ReadSeeker, func() error, error) {
	nothing := func() error { return nil }
	switch {
	case len(args) == 0:
		return strings.NewReader(r.example()), nothing, nil
	case args[0] == "-":
		file, err := spool(stdin)
		if err != nil {
			return nil, nil, cli.Failed(err, "")
		}
		return file, file.Close, nil
	}
	file, err := os.Open(args[0])
	if err != nil {
		return nil, nil, cli.Failed(err, "without FILE a message is made up; - reads standard input")
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

// example is the message that is sent when there is none. It has an author even where the
// reverse-path is null: a From field cannot be empty (RFC 5322 §3.6.2).
func (r *sendRequest) example() string {
	from := cmp.Or(r.from, "MAILER-DAEMON@"+r.hello)
	return fmt.Sprintf("From: <%s>\nTo: <%s>\nDate: %s\nSubject: A message by doorstep send\n"+
		"Mime-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"+
		"It arrived. Grüße, 你好, مرحبا.\n",
		from, strings.Join(r.to, ">, <"), time.Now().Format(time.RFC1123Z))
}

// envelope is what the flags alone say of the message.
func (r *sendRequest) envelope() client.Message {
	return client.Message{From: r.from, To: r.dsn.recipients(r.to), Return: r.dsn.ret, EnvelopeID: r.dsn.envelopeID}
}

// message is what the flags and the content's own needs say of the envelope.
func (r *sendRequest) message(content io.ReadSeeker) (client.Message, error) {
	traits, err := client.Inspect(content)
	if err != nil {
		return client.Message{}, cli.Failed(err, "")
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return client.Message{}, cli.Failed(fmt.Errorf("read content again: %w", err),
			"give it by standard input: doorstep send - <FILE")
	}
	m := r.envelope()
	m.Content, m.Size = content, traits.Size
	switch r.body {
	case "auto":
		m.Body = traits.Body()
	case "7bit", "8bitmime":
		m.Body = strings.ToUpper(r.body)
	}
	switch {
	case r.utf8 == "never":
		m.UTF8 = client.UTF8Never
	case r.utf8 == "always" || traits.UTF8Header:
		m.UTF8 = client.UTF8Always
	}
	return m, nil
}

// A sendDSN is what the flags of send say of reports (RFC 3461).
type sendDSN struct {
	notify, ret, envelopeID string
	originals               []string
}

func (d *sendDSN) flags(flags *pflag.FlagSet) {
	flags.StringVar(&d.notify, "notify", "", "ask for reports: never, or any of `success,failure,delay`")
	flags.Var(&cli.Choice{Word: &d.ret, Words: []string{"full", "hdrs"}}, "ret",
		"what a report of failure brings back: `full` or hdrs")
	flags.StringVar(&d.envelopeID, "envid", "", "an `identifier` that reports bring back")
	flags.StringArrayVar(&d.originals, "orcpt", nil,
		"the `address` that the sender named; once, or once for each --to in the same order")
}

// check finds mistakes that need no server.
func (d *sendDSN) check(recipients int) error {
	if n := len(d.originals); n > 1 && n != recipients {
		return cli.Usage(errors.New("send: --orcpt is there neither once nor once for each --to"),
			"write it as often as --to, in the same order")
	}
	return nil
}

// recipients are the addresses with what the flags ask for each.
func (d *sendDSN) recipients(to []string) []client.Recipient {
	list := client.To(to...)
	for i := range list {
		list[i].Notify = d.notify
		switch len(d.originals) {
		case 0:
		case 1:
			list[i].Original = original(d.originals[0])
		default:
			list[i].Original = original(d.originals[i])
		}
	}
	return list
}

// original reads TYPE;ADDRESS, or an address that has its type by its letters.
func original(text string) address.Original {
	kind, addr, ok := strings.Cut(text, ";")
	switch {
	case ok && !strings.ContainsAny(kind, `@"`):
		return address.Original{Type: strings.ToLower(kind), Address: addr}
	case strings.ContainsFunc(text, func(r rune) bool { return r > '~' }):
		return address.Original{Type: "utf-8", Address: text}
	}
	return address.Original{Type: "rfc822", Address: text}
}
