package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Protocol is what is spoken on the connection.
type Protocol int

const (
	// LMTP says LHLO, and gets one reply after the data for each accepted recipient.
	LMTP Protocol = iota
	// ESMTP says EHLO, and gets one reply after the data for them all.
	ESMTP
)

// hello is the verb that opens a session.
func (p Protocol) hello() string {
	if p == ESMTP {
		return "EHLO"
	}
	return "LHLO"
}

// String returns the protocol's name.
func (p Protocol) String() string {
	if p == ESMTP {
		return "ESMTP"
	}
	return "LMTP"
}

// Options say how to talk to a server. The zero value is LMTP with the standard's patience.
type Options struct {
	Protocol Protocol

	// Hello is the client's name in LHLO or EHLO, a domain or an address literal; U-labels become A-labels (RFC 6531
	// §3.7.1). Dial and New fail if it is neither. "localhost" when empty.
	Hello string

	// Timeout bounds each wait: to connect, for a reply, and for a block of content to be
	// taken. Zero means 5 minutes (RFC 5321 §4.5.3.2).
	Timeout time.Duration

	// FinalTimeout bounds the wait for each reply after the data, when the server makes the
	// message durable. Zero means 10 minutes (RFC 5321 §4.5.3.2.6).
	FinalTimeout time.Duration

	// TLS says when TLS begins. [TLSOff]
	TLS TLSMode

	// TLSConfig is for the handshake; TLS 1.2 is the least. Dial fills in ServerName. [the
	// system's authorities]
	TLSConfig *tls.Config

	// Login, if not nil, is who to authenticate as, by the best mechanism there is.
	Login *Login

	// Trace, if not nil, sees the dialogue line by line, without line ends: dir is 'C' for
	// what the client says and 'S' for the server. Of content it sees only the length, and nothing
	// of what authenticates. It is
	// called from the goroutine that uses the Client.
	Trace func(dir byte, line string)
}

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return 5 * time.Minute
}

func (o Options) finalTimeout() time.Duration {
	if o.FinalTimeout > 0 {
		return o.FinalTimeout
	}
	return 10 * time.Minute
}

// A Client is one connection to a server. It is used by one goroutine at a time. After an
// error of the connection or a breach of the protocol it is closed, and every further call
// returns that error.
type Client struct {
	options    Options
	wire       *wire
	extensions Extensions
	group      bytes.Buffer // the commands of one group, written at once
	content    contentPath
	open       bool // a transaction that the server has not ended: RSET comes first
}

var errClosed = errors.New("connection closed by this client")

// New reads the greeting from a connection and says hello. It owns conn from here on, and
// closes it when it returns an error.
func New(ctx context.Context, conn net.Conn, o Options) (*Client, error) {
	c := &Client{options: o, wire: newWire(conn, o)}
	defer c.wire.watch(ctx)()
	if err := c.begin(ctx); err != nil {
		return nil, errors.Join(err, c.wire.close(errClosed))
	}
	return c, nil
}

// begin is all that comes before the first message.
func (c *Client) begin(ctx context.Context) error {
	if c.options.TLS == TLSImplicit {
		if err := c.wire.handshake(ctx); err != nil {
			return err
		}
	}
	if err := c.greet(ctx); err != nil {
		return err
	}
	if err := c.startTLS(ctx); err != nil {
		return err
	}
	return c.authenticate(ctx)
}

func (c *Client) greet(ctx context.Context) error {
	greeting, err := c.wire.readReply(ctx, c.options.timeout())
	if err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	if greeting.Code != 220 {
		return &ReplyError{Command: "greeting", Reply: greeting}
	}
	return c.hello(ctx)
}

// hello says who we are, and learns what the server offers.
func (c *Client) hello(ctx context.Context) error {
	name := c.options.Hello
	if name == "" {
		name = "localhost"
	}
	name, err := address.WireDomain(name)
	if err != nil {
		return fmt.Errorf("name for the hello: %w", err)
	}
	hello, err := c.command(ctx, c.options.Protocol.hello(), name)
	if err != nil {
		return err
	}
	c.extensions = parseExtensions(hello)
	return nil
}

// Extensions are those of the answer to the hello.
func (c *Client) Extensions() Extensions { return c.extensions }

// Quit says QUIT, waits for the answer, and closes the connection.
func (c *Client) Quit(ctx context.Context) error {
	defer c.wire.watch(ctx)()
	_, err := c.command(ctx, "QUIT", "")
	return errors.Join(err, c.wire.close(errClosed))
}

// Close closes the connection without a word. A second Close does nothing.
func (c *Client) Close() error { return c.wire.close(errClosed) }

// command sends one command and wants a 2xx reply.
func (c *Client) command(ctx context.Context, verb, argument string) (Reply, error) {
	line := verb
	if argument != "" {
		line += " " + argument
	}
	if err := checkCommand(line); err != nil {
		return Reply{}, err
	}
	reply, err := c.exchange(ctx, line)
	if err != nil {
		return reply, fmt.Errorf("%s: %w", verb, err)
	}
	if !reply.Positive() {
		return reply, &ReplyError{Command: verb, Reply: reply}
	}
	return reply, nil
}

// exchange sends one line and reads its reply.
func (c *Client) exchange(ctx context.Context, line string) (Reply, error) {
	c.wire.trace('C', line)
	if err := c.wire.write(ctx, []byte(line+"\r\n")); err != nil && !errors.Is(err, errHungUp) {
		return Reply{}, err
	}
	return c.wire.readReply(ctx, c.options.timeout())
}

// checkCommand refuses a line with control characters: an argument with a line end in it
// would be a second command.
func checkCommand(line string) error {
	for i := range len(line) {
		if line[i] < ' ' || line[i] == 0x7f {
			return fmt.Errorf("control character in command %s", excerpt(line))
		}
	}
	return nil
}
