package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
)

// A TLSMode says when TLS begins.
type TLSMode int

const (
	// TLSOff: never.
	TLSOff TLSMode = iota
	// TLSStart: by STARTTLS, if the server offers it. A man in the middle can take the offer
	// away.
	TLSStart
	// TLSRequired: by STARTTLS, or there is no session.
	TLSRequired
	// TLSImplicit: before the greeting.
	TLSImplicit
)

// startTLS begins TLS by STARTTLS as the options have it, and says hello again: what the server
// said before could be a man in the middle's word (RFC 3207 §4.2).
func (c *Client) startTLS(ctx context.Context) error {
	mode := c.options.TLS
	offered := c.extensions.Has("STARTTLS")
	switch {
	case mode == TLSRequired && !offered:
		return fmt.Errorf("%w STARTTLS", ErrNotOffered)
	case mode != TLSRequired && (mode != TLSStart || !offered):
		return nil
	}
	if _, err := c.command(ctx, "STARTTLS", ""); err != nil {
		return err
	}
	// A reply that is there already was put there in the clear (CVE-2021-38370 and its kin).
	if c.wire.in.Buffered() > 0 {
		return errors.New("STARTTLS: the server says more in the clear than its reply")
	}
	if err := c.wire.handshake(ctx); err != nil {
		return err
	}
	return c.hello(ctx)
}

// handshake puts TLS between the connection and what is read and written.
func (w *wire) handshake(ctx context.Context) error {
	if err := w.arm(ctx, w.conn.SetDeadline, w.options.timeout()); err != nil {
		return err
	}
	config := w.options.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12) // RFC 8996
	secure := tls.Client(w.conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return w.fail(ctx, fmt.Errorf("TLS handshake: %w", err))
	}
	w.secure = secure
	w.in.Reset(secure)
	w.trace('C', "… ("+tls.VersionName(secure.ConnectionState().Version)+")")
	return nil
}
