package config

import (
	"crypto/x509"
	"time"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

// A TLSMode says when TLS begins on a listener.
type TLSMode string

// The modes.
const (
	TLSOff      TLSMode = "off"
	TLSStart    TLSMode = "starttls" // when the client asks for it
	TLSRequired TLSMode = "required" // when the client asks for it, and before any mail
	TLSImplicit TLSMode = "implicit" // before the greeting
)

// A TLS is the [tls] table. Paths are absolute, or "" where there is none.
type TLS struct {
	Certificate, Key string // PEM; the certificate is followed by its chain
	// ClientCA has the authorities for the certificates of clients.
	ClientCA string
}

var tlsSection = table.Section[TLS]{
	Name: "tls",
	Doc:  "Files for TLS, in PEM. Certificate and key are read again when they change.",
	Keys: []table.Key[TLS]{
		{Name: "certificate", Kind: table.Path(func(t *TLS) *string { return &t.Certificate }), Example: `"cert.pem"`,
			Doc: "The certificate of the server, followed by those that lead to its authority."},
		{Name: "key", Kind: table.Path(func(t *TLS) *string { return &t.Key }), Example: `"key.pem"`,
			Doc: "Its key. It must be readable only by its owner and group."},
		{Name: "client_ca", Kind: table.Path(func(t *TLS) *string { return &t.ClientCA }), Example: `"clients.pem"`,
			Doc: "Certificates of the authorities that issue those of clients. Default: clients are not asked for a " +
				"certificate."},
	},
}

// What to say if clients cannot be known by their certificates.
const (
	noClientCA    = "client certificates cannot be verified: client_ca is not set"
	writeClientCA = `write client_ca = "clients.pem" in [tls]`
)

// check checks that a certificate and its key come together.
func (c TLS) check(in *table.Input) {
	if c == (TLS{}) || c.isBroken(in) {
		return
	}
	v := in.Table("tls").Self()
	if c.Certificate == "" {
		v.AddKey("certificate is missing", `write certificate = "cert.pem"`)
	} else if c.Key == "" {
		v.AddKey("key is missing", `write key = "key.pem"`)
	}
}

// isBroken reports whether a problem says already why a path of [tls] is not known.
func (TLS) isBroken(in *table.Input) bool {
	t := in.Table("tls")
	return t.HasProblems() || t.Suspect("certificate") || t.Suspect("key")
}

// checkTLS checks that TLS is possible on a listener if it is wanted, and certificates of clients if they are.
func (l listener) checkTLS(in *table.Input, c TLS) {
	hasTLS := c != TLS{} || c.isBroken(in) // what is missing of it is a problem already
	if v := l.Value("tls"); v != nil && l.TLS != TLSOff {
		if l.Network == "unix" {
			v.Add("there is no TLS on a Unix socket: the kernel keeps others from listening", "leave it out")
		} else if !hasTLS {
			v.Add("needs a certificate", `write [tls] and certificate = "cert.pem", key = "key.pem"`)
		}
	}
	v := l.Value("require_certificate")
	switch {
	case v == nil || !l.RequireCertificate:
	case l.TLS != TLSRequired && l.TLS != TLSImplicit:
		v.Add("clients need not even use TLS here", `write tls = "required"`)
	case hasTLS && c.ClientCA == "" && !c.isBroken(in):
		v.Add(noClientCA, writeClientCA)
	}
}

// checkFiles checks the files of [tls]. report takes what is wrong with the value of a key.
func (c TLS) checkFiles(report func(key string, err error)) {
	if c.Certificate != "" && c.Key != "" {
		report("key", checkSecret(c.Key))
		report("certificate", checkCertificate(c.Certificate, c.Key, time.Now()))
	}
	if c.ClientCA != "" {
		_, err := keypair.Authorities(c.ClientCA)
		report("client_ca", err)
	}
}

// expiresSoon is how long before its end a certificate is warned of.
const expiresSoon = 7 * 24 * time.Hour

// checkCertificate checks that a certificate and its key can be used now.
func checkCertificate(certificate, key string, now time.Time) error {
	if checkReadable(key) != nil {
		return nil // the key's own problem
	}
	pair, err := keypair.Load(certificate, key)
	if err != nil {
		return err
	}
	leaf := pair.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return err
		}
	}
	switch {
	case now.After(leaf.NotAfter):
		return hint.New("the certificate has expired on "+leaf.NotAfter.UTC().Format(time.DateOnly), "renew it")
	case now.Before(leaf.NotBefore):
		return hint.New("the certificate is valid only from "+leaf.NotBefore.UTC().Format(time.DateTime)+" UTC",
			"is the machine's clock right?")
	case now.Add(expiresSoon).After(leaf.NotAfter):
		return hint.Warning("the certificate expires on "+leaf.NotAfter.UTC().Format(time.DateOnly), "renew it")
	}
	return nil
}
