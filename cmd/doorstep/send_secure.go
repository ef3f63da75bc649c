package main

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
	"github.com/spf13/pflag"
)

// A sendSecurity is what the flags of send say of TLS and authentication.
type sendSecurity struct {
	tls, ca            string
	insecure           bool
	user, passwordFile string
}

var tlsModes = map[string]client.TLSMode{
	"off": client.TLSOff, "starttls": client.TLSStart, "required": client.TLSRequired, "implicit": client.TLSImplicit,
}

func (s *sendSecurity) flags(flags *pflag.FlagSet) {
	s.tls = "off"
	flags.Var(&cli.Choice{Word: &s.tls, Words: []string{"off", "starttls", "required", "implicit"}}, "tls",
		"`off`, starttls (if offered), required (STARTTLS or nothing) or implicit")
	flags.StringVar(&s.ca, "ca", "", "a `file` of certificates that vouch for the server; empty for the system's")
	flags.BoolVar(&s.insecure, "insecure", false, "take any certificate of the server's")
	flags.StringVar(&s.user, "auth-user", "", "the `name` to authenticate as; empty for no authentication")
	flags.StringVar(&s.passwordFile, "auth-password-file", "", "the `file` with the password, on its first line")
}

// check finds mistakes that need no look at a file.
func (s *sendSecurity) check() error {
	switch {
	case (s.user == "") != (s.passwordFile == ""):
		return cli.Usage(errors.New("send: --auth-user and --auth-password-file go together"), "")
	case s.tls == "off" && (s.ca != "" || s.insecure):
		return cli.Usage(errors.New("send: --ca and --insecure are for TLS"), "--tls required")
	case s.ca != "" && s.insecure:
		return cli.Usage(errors.New("send: --insecure looks at no certificate, and needs none of --ca"),
			"leave one of them out")
	}
	return nil
}

// apply reads the files and sets the options.
func (s *sendSecurity) apply(o *client.Options) error {
	o.TLS = tlsModes[s.tls]
	o.TLSConfig = &tls.Config{InsecureSkipVerify: s.insecure}
	if s.ca != "" {
		pool, err := keypair.Authorities(s.ca)
		if err != nil {
			return cli.Usage(fmt.Errorf("send: --ca: %w", err), "")
		}
		o.TLSConfig.RootCAs = pool
	}
	if s.user != "" {
		password, err := build.ReadPassword(s.passwordFile)
		if err != nil {
			return cli.Usage(fmt.Errorf("send: --auth-password-file: %w", err), "")
		}
		o.Login = &client.Login{User: s.user, Password: password}
	}
	return nil
}
