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
	"github.com/doorstep-mail/doorstep/lmtp/client"
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

// example is the message that is sent when there is none. It is from somebody even where the
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
