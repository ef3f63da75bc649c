package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/config"
)

// A Client asks the running server by its admin listener.
type Client struct {
	http  http.Client
	base  string
	token string
}

// ClientOf is the client for the server of a configuration.
func ClientOf(file string, stderr io.Writer) (*Client, error) {
	c, err := cli.LoadConfig(file, stderr)
	if err != nil {
		return nil, err
	}
	return NewClient(c)
}

// NewClient knows from the configuration where the server listens.
func NewClient(c *config.Config) (*Client, error) {
	l := c.Admin.Socket
	if l.Network == "" {
		return nil, cli.Usage(errors.New("the configuration has no admin listener"),
			`write [admin] and address = "unix:/run/doorstep/admin.sock", and start the server again`)
	}
	a := &Client{base: "http://" + l.Address}
	if c.Admin.TokenFile != "" {
		token, err := config.ReadToken(c.Admin.TokenFile)
		if err != nil {
			return nil, cli.Failed(err, config.Hint(err))
		}
		a.token = token
	}
	if l.Network == "unix" {
		a.base = "http://localhost"
	}
	a.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, l.Network, l.Address)
		},
		ResponseHeaderTimeout: time.Minute,
	}
	return a, nil
}

// refusalHints are what can be done about a refusal, by its status.
var refusalHints = map[int]string{
	http.StatusUnauthorized: "admin.token_file must name the token that the server has read at its start",
	http.StatusForbidden: `write address = "unix:/run/doorstep/admin.sock" in [admin], or set admin.token_file, ` +
		"and restart",
	http.StatusTooManyRequests: "end one of the others",
}

// Get asks for a path. The caller closes the answer.
func (a *Client) Get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, cli.Failed(err, "")
	}
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	answer, err := a.http.Do(request)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) {
			err = cause.Err // without the URL, which is made up
		}
		return nil, cli.Failed(fmt.Errorf("ask the server: %w", err),
			"is doorstep serve running with this configuration, and may you use its admin listener?")
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		said = []byte(err.Error())
	}
	return nil, cli.Failed(fmt.Errorf("the server says: %s", strings.TrimSpace(string(said))),
		refusalHints[answer.StatusCode])
}

// Status asks for a snapshot.
func (a *Client) Status(ctx context.Context) (*status.Snapshot, error) {
	body, err := a.Get(ctx, "/status.json", nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	s := &status.Snapshot{}
	if err := json.NewDecoder(body).Decode(s); err != nil {
		return nil, cli.Failed(errors.Join(errors.New("the server's answer is not understood"), err),
			"is it another version?")
	}
	return s, nil
}
