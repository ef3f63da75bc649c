// Package localmail hands a message to the agent without a client: what deliver and its dry run are.
package localmail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A Mail is a message that the program itself hands to the agent.
type Mail struct {
	Agent    *delivery.Agent
	session  *lmtp.Session
	Envelope *lmtp.Envelope
	Content  io.Reader // with CRLF line ends
	Outcomes []Outcome // by recipient
}

// A Outcome is what became of a recipient.
type Outcome struct {
	Text string // as on the command line
	to   *lmtp.Recipient
	Err  error // nil: not refused yet, and in the end delivered
}

// New reads the envelope and checks what a server checks before it asks its agent: addresses and size. Bare
// LFs become line ends. A local part may have octets that are not UTF-8: a command line cannot ask for SMTPUTF8.
func New(
	agent *delivery.Agent, c *config.Config, from string, to []string, content io.ReadSeeker,
) (*Mail, error) {
	traits, err := client.Inspect(content)
	if err == nil {
		_, err = content.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	l := &Mail{Agent: agent, session: lmtp.LocalSession(c.Hostname)}
	l.Content = newCRLFReader(content)
	utf8 := traits.UTF8Header || !isASCII(from) || slices.ContainsFunc(to, func(to string) bool { return !isASCII(to) })
	l.Envelope = &lmtp.Envelope{ID: l.session.NextID(), SMTPUTF8: utf8, Body: traits.Body(), Size: traits.Size}
	parser := address.Parser{UTF8: utf8, Lenient8Bit: true}

	var refused error
	if traits.Size > c.Limits.MessageSize {
		refused = lmtp.TooLarge(c.Limits.MessageSize)
	}
	if l.Envelope.From, err = parser.ReversePath(from); err != nil {
		refused = &lmtp.Error{Code: 501, Enhanced: "5.1.7", Text: "bad reverse-path", Cause: err}
	}
	for _, text := range to {
		o := Outcome{Text: text, Err: refused}
		path, err := parser.ForwardPath(text)
		if err != nil && refused == nil {
			o.Err = &lmtp.Error{Code: 501, Enhanced: "5.1.3", Text: "bad forward-path", Cause: err}
		}
		o.to = &lmtp.Recipient{To: path}
		l.Outcomes = append(l.Outcomes, o)
	}
	return l, nil
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// Recipients are those that are not refused.
func (l *Mail) Recipients() (list []*lmtp.Recipient) {
	for _, o := range l.Outcomes {
		if o.Err == nil {
			list = append(list, o.to)
		}
	}
	return list
}

// Deliver hands the message to the agent, and notes what becomes of each recipient.
func (l *Mail) Deliver(ctx context.Context) error {
	tx, err := l.Agent.Mail(ctx, l.session, l.Envelope)
	if err != nil {
		return err
	}
	for i := range l.Outcomes {
		if o := &l.Outcomes[i]; o.Err == nil {
			o.Err = tx.Rcpt(ctx, o.to)
		}
	}
	if len(l.Recipients()) == 0 {
		tx.Abort(nil)
		return nil
	}
	if _, err := io.Copy(tx, l.Content); err != nil {
		tx.Abort(err)
		return l.refuseAll(err)
	}
	outcomes := tx.Commit(ctx)
	for i := range l.Outcomes {
		o := &l.Outcomes[i]
		if o.Err != nil {
			continue
		}
		err, known := <-outcomes
		if !known {
			err = errors.New("the delivery ended without an outcome")
		}
		o.Err = err
	}
	return nil
}

// refuseAll refuses the message for those who were not refused before. An error that is no reply is none of the
// message's own.
func (l *Mail) refuseAll(err error) error {
	if known := (*lmtp.Error)(nil); !errors.As(err, &known) {
		return fmt.Errorf("read the message: %w", err)
	}
	for i := range l.Outcomes {
		if l.Outcomes[i].Err == nil {
			l.Outcomes[i].Err = err
		}
	}
	return nil
}

// A crlfReader makes CRLF of every LF that has no CR before it, and ends the last line.
type crlfReader struct {
	from *bufio.Reader
	last byte
}

func newCRLFReader(from io.Reader) *crlfReader {
	return &crlfReader{from: bufio.NewReader(from), last: '\n'} // no line has begun that would have to end
}

func (c *crlfReader) Read(p []byte) (n int, err error) {
	for n+1 < len(p) {
		b, err := c.from.ReadByte()
		switch {
		case err == io.EOF && c.last != '\n':
			c.last = '\n'
			return n + copy(p[n:], "\r\n"), nil
		case err != nil:
			return n, err
		case b == '\n' && c.last != '\r':
			p[n] = '\r'
			n++
		}
		p[n] = b
		c.last = b
		n++
	}
	return n, nil
}
