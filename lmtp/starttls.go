package lmtp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

var errNoCertificate = errors.New("no certificate for TLS")

var (
	replyTLS         = Reply{Code: 220, Enhanced: "2.0.0", Text: "begin TLS", then: (*conn).startTLS}
	replyTLSBroken   = Reply{Code: 454, Enhanced: "4.7.0", Text: "TLS is not available now"}
	replyTLSInjected = Reply{Code: 421, Enhanced: "4.7.0", Text: "nothing may follow STARTTLS before the handshake",
		then: hangUp}
)

// knowsSTARTTLS: never on Unix sockets, where the kernel keeps others from listening.
func (o offer) knowsSTARTTLS() bool { return o.server.TLS.Config != nil && !o.session.Unix }

// offersSTARTTLS: not again under TLS (RFC 3207 §4.2).
func (o offer) offersSTARTTLS() bool { return o.knowsSTARTTLS() && o.session.TLS == nil }

// starttls begins TLS on the connection (RFC 3207).
func (c *conn) starttls(string) Reply {
	if c.session.TLS != nil {
		return replySequence
	}
	// What came in the clear may be an attacker's, and must never be answered inside
	// TLS (CVE-2011-0411). To drop it in silence is forbidden too (RFC 2920 §3.2, point 9).
	if c.in.Buffered() > 0 {
		return replyTLSInjected
	}
	if _, err := certificateFor(c.server.TLS.Config, &tls.ClientHelloInfo{}); err != nil {
		c.log.Error("STARTTLS refused", "error", err)
		return replyTLSBroken
	}
	return replyTLS
}

// startTLS runs the handshake after the reply, and makes the session one that has just been
// greeted: nothing that was said in the clear counts any more (RFC 3207 §4.2).
func (c *conn) startTLS() error {
	if err := c.out.Flush(); err != nil {
		return err
	}
	if err := c.handshake(); err != nil {
		return err
	}
	c.state = stateGreeted
	return nil
}

// handshake puts TLS between the connection and the session. The session that it begins knows
// of the one before only what the client had no part in.
func (c *conn) handshake() error {
	var presented []byte
	config := c.server.tlsConfig(&presented)
	state, err := c.nc.startTLS(c.work, config, c.in.Restart(c.nc))
	if err != nil {
		return err
	}
	if err := verifyClient(config.ClientCAs, &state); err != nil {
		c.log.Info("client certificate is not accepted", "error", err)
	}
	session := *c.session
	session.TLS, session.Certificate = &state, presented
	session.Hello, session.Extended, session.Identity, session.Origin = "", false, "", nil
	c.session = &session
	c.tx.forward = nil
	return nil
}

// tlsConfig is TLS.Config for one connection, made safe: TLS 1.2 at least (RFC 8996, RFC 9325
// §3.1.1), no resumption, because a resumed session presents no certificate that credentials
// could be bound to, and the client's certificate wanted but not verified: one that is wrong is
// refused by a reply (RFC 3207 §4.1), not by a broken connection. The certificate that the server
// presents goes into presented.
func (s *Server) tlsConfig(presented *[]byte) *tls.Config {
	config := s.TLS.Config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.SessionTicketsDisabled = true
	config.ClientAuth = tls.NoClientCert
	if config.ClientCAs != nil {
		config.ClientAuth = tls.RequestClientCert
	}
	config.Certificates = nil
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := certificateFor(s.TLS.Config, hello)
		if err == nil {
			*presented = certificate.Certificate[0]
		}
		return certificate, err
	}
	return config
}

// certificateFor chooses as package tls does: what the configuration's function says, or else the
// first certificate that suits the client.
func certificateFor(config *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if config.GetCertificate != nil {
		if certificate, err := config.GetCertificate(hello); certificate != nil || err != nil {
			return certificate, err
		}
	}
	for i := range config.Certificates {
		if hello.SupportsCertificate(&config.Certificates[i]) == nil {
			return &config.Certificates[i], nil
		}
	}
	if len(config.Certificates) == 0 {
		return nil, errNoCertificate
	}
	return &config.Certificates[0], nil
}

// verifyClient fills in the chains of the client's certificate, if it sent one of ours. A client
// without is no error; what that means is for others to say.
func verifyClient(roots *x509.CertPool, state *tls.ConnectionState) error {
	if roots == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	chains, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	state.VerifiedChains = chains
	return err
}
