package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// A Login is who to authenticate as (RFC 4954).
type Login struct{ User, Password string }

// The mechanisms that this client knows. SCRAM tells the server nothing that it could use
// elsewhere; bound to TLS, it finds out who is in the middle (RFC 5802).
const (
	scramPlus  = "SCRAM-SHA-256-PLUS"
	scramPlain = "SCRAM-SHA-256"
)

// ErrNoMechanism is a server that offers no way to authenticate that may be used here: PLAIN goes
// over TLS and Unix sockets only.
var ErrNoMechanism = errors.New("no usable authentication mechanism offered")

// authenticate logs in as the options have it.
func (c *Client) authenticate(ctx context.Context) error {
	if c.options.Login == nil {
		return nil
	}
	mechanism, err := c.mechanism()
	if err != nil {
		return err
	}
	name, initial, err := mechanism.Start()
	if err != nil {
		return fmt.Errorf("AUTH: %w", err)
	}
	reply, err := c.secretly(ctx, "AUTH "+name+" ", initial)
	for err == nil && reply.Code == 334 {
		var challenge, response []byte
		if challenge, err = base64.StdEncoding.DecodeString(strings.Join(reply.Lines, "")); err != nil {
			return c.wire.fail(ctx, fmt.Errorf("AUTH %s: challenge: %w", name, err))
		}
		if response, err = mechanism.Next(challenge); err != nil {
			// The server is not who it should be: it gets nothing more.
			return c.wire.fail(ctx, fmt.Errorf("AUTH %s: %w", name, err))
		}
		reply, err = c.secretly(ctx, "", response)
	}
	switch proof, proves := mechanism.(*scramClient); {
	case err != nil:
		return fmt.Errorf("AUTH %s: %w", name, err)
	case !reply.Positive():
		return &ReplyError{Command: "AUTH " + name, Reply: reply}
	case proves && !proof.conversation.Valid():
		return c.wire.fail(ctx, fmt.Errorf("AUTH %s: the server has not proved that it knows the password", name))
	}
	return nil
}

// secretly is exchange for what must not be seen by Trace.
func (c *Client) secretly(ctx context.Context, prefix string, secret []byte) (Reply, error) {
	encoded := base64.StdEncoding.EncodeToString(secret)
	if prefix != "" && encoded == "" {
		encoded = "="
	}
	c.wire.trace('C', prefix+"…")
	if err := c.wire.write(ctx, []byte(prefix+encoded+"\r\n")); err != nil && !errors.Is(err, errHungUp) {
		return Reply{}, err
	}
	return c.wire.readReply(ctx, c.options.timeout())
}

// mechanism chooses the strongest that both sides know.
func (c *Client) mechanism() (sasl.Client, error) {
	login := c.options.Login
	offered := strings.Fields(strings.ToUpper(c.extensions.Param("AUTH")))
	secure := c.wire.secure
	isUnix := c.wire.conn.RemoteAddr() != nil && c.wire.conn.RemoteAddr().Network() == "unix"
	switch {
	case slices.Contains(offered, scramPlus) && secure != nil:
		state := secure.ConnectionState()
		binding, err := scram.NewTLSExporterBinding(&state)
		if err != nil {
			return nil, fmt.Errorf("AUTH: %w", err)
		}
		return newScram(scramPlus, login, func(client *scram.Client) *scram.ClientConversation {
			return client.NewConversationWithChannelBinding(binding)
		})
	case slices.Contains(offered, scramPlain):
		return newScram(scramPlain, login, (*scram.Client).NewConversation)
	case slices.Contains(offered, sasl.Plain) && (secure != nil || isUnix):
		return sasl.NewPlainClient("", login.User, login.Password), nil
	}
	return nil, ErrNoMechanism
}

// A scramClient is the client's side of SCRAM-SHA-256 for go-sasl.
type scramClient struct {
	name         string
	conversation *scram.ClientConversation
}

func newScram(name string, login *Login, begin func(*scram.Client) *scram.ClientConversation) (sasl.Client, error) {
	client, err := scram.SHA256.NewClient(login.User, login.Password, "")
	if err != nil {
		return nil, fmt.Errorf("AUTH: %w", err)
	}
	return &scramClient{name, begin(client)}, nil
}

// Start returns the client's first message.
func (s *scramClient) Start() (mechanism string, initial []byte, err error) {
	first, err := s.conversation.Step("")
	return s.name, []byte(first), err
}

// Next answers the server's messages; the last one, its proof, with nothing.
func (s *scramClient) Next(challenge []byte) ([]byte, error) {
	response, err := s.conversation.Step(string(challenge))
	return []byte(response), err
}
