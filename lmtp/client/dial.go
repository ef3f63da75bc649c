package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// Dial connects to target and says hello. A target is unix:PATH or tcp:HOST:PORT; a bare path
// (with a slash in front) and a bare HOST:PORT will do. The connection outlives ctx.
func Dial(ctx context.Context, target string, o Options) (*Client, error) {
	network, addr, err := ParseTarget(target)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: o.timeout()}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", target, err)
	}
	if o.TLS != TLSOff {
		o.TLSConfig = withServerName(o.TLSConfig, addr)
	}
	return New(ctx, conn, o)
}

// withServerName returns a copy of config that checks the certificate for the host that is dialed,
// unless it names another.
func withServerName(config *tls.Config, addr string) *tls.Config {
	config = config.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if host, _, err := net.SplitHostPort(addr); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	return config
}

// ParseTarget takes a target apart into the network and the address that package net wants.
func ParseTarget(target string) (network, addr string, err error) {
	if path, ok := strings.CutPrefix(target, "unix:"); ok || strings.HasPrefix(target, "/") {
		if !ok {
			path = target
		}
		if path == "" {
			return "", "", fmt.Errorf("target %q has no path", target)
		}
		return "unix", path, nil
	}
	addr = strings.TrimPrefix(target, "tcp:")
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return "", "", fmt.Errorf("target %q is neither unix:PATH nor tcp:HOST:PORT", target)
	}
	return "tcp", addr, nil
}
