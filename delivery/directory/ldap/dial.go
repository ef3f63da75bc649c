package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"

	client "github.com/go-ldap/ldap/v3"
)

// A server is where one listens.
type server struct {
	url              string
	network, address string
	host             string // for TLS
	tls              bool   // from the first octet
}

// ports are those of a URL that says none.
var ports = map[string]string{"ldap": "389", "ldaps": "636"}

// parseURLs understands the servers.
func parseURLs(urls []string) ([]server, error) {
	if len(urls) == 0 {
		return nil, errors.New("no server is named")
	}
	var servers []server
	for _, text := range urls {
		s, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

func parseURL(text string) (server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return server{}, fmt.Errorf("%q is not a URL", text)
	}
	switch {
	case u.Scheme == "ldapi" && u.Host == "" && len(u.Path) > 1:
		return server{url: text, network: "unix", address: u.Path}, nil
	case ports[u.Scheme] == "":
		return server{}, fmt.Errorf("%q is not ldap://HOST:PORT, ldaps://HOST:PORT or ldapi:///PATH", text)
	case u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil:
		return server{}, fmt.Errorf("%q is not %s://HOST:PORT", text, u.Scheme)
	}
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	return server{url: text, network: "tcp", address: net.JoinHostPort(u.Hostname(), port), host: u.Hostname(),
		tls: u.Scheme == "ldaps"}, nil
}

// A dialer opens connections and binds them.
type dialer struct {
	options Options
	servers []server
}

// dial connects to the first server that takes a connection and the bind. Whatever goes wrong with
// one may go right with the next.
func (d dialer) dial(ctx context.Context) (*client.Conn, error) {
	var all error
	for _, s := range d.servers {
		conn, err := d.connect(ctx, s)
		if err == nil {
			return conn, nil
		}
		all = errors.Join(all, fmt.Errorf("%s: %w", s.url, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, all
}

// connect connects to one server. When ctx ends, the connection does.
func (d dialer) connect(ctx context.Context, s server) (*client.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, s.network, s.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	conn, err := d.secure(ctx, raw, s)
	if err == nil {
		if err = d.bind(conn); err != nil {
			err = errors.Join(err, conn.Close())
		}
	}
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// secure begins TLS, where that is wanted. After an error the connection is closed.
func (d dialer) secure(ctx context.Context, raw net.Conn, s server) (*client.Conn, error) {
	config := &tls.Config{}
	if d.options.TLS != nil {
		config = d.options.TLS.Clone()
	}
	config.ServerName = s.host
	if s.tls {
		secured := tls.Client(raw, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		raw = secured
	}
	conn := client.NewConn(raw, s.tls)
	conn.Start()
	if d.options.StartTLS && !s.tls && s.network == "tcp" {
		if err := conn.StartTLS(config); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// bind says who asks.
func (d dialer) bind(conn *client.Conn) error {
	if d.options.BindDN == "" {
		return nil // anonymous, which needs no bind
	}
	password, err := d.options.Password()
	if err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	if password == "" {
		return errors.New("the password is empty, which would bind anonymously (RFC 4513 §5.1.2)")
	}
	if err := conn.Bind(d.options.BindDN, password); err != nil {
		return fmt.Errorf("bind as %q: %w", d.options.BindDN, err)
	}
	return nil
}
