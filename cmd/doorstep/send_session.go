package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/address"
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
	flags.StringVar(&s.ca, "ca", "", "a `file` of certificate authorities to trust; empty for the system's")
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
		password, err := config.FirstLine(s.passwordFile)
		if err != nil {
			return cli.Usage(fmt.Errorf("send: --auth-password-file: %w", err), "")
		}
		o.Login = &client.Login{User: s.user, Password: password}
	}
	return nil
}

// clientOptions are what the flags say of a session.
func (r *sendRequest) clientOptions(stderr io.Writer) (client.Options, error) {
	options := client.Options{Hello: r.hello, Timeout: r.timeout}
	if r.protocol == "esmtp" {
		options.Protocol = client.ESMTP
	}
	if r.verbose {
		options.Trace = func(dir byte, line string) { fmt.Fprintf(stderr, "%c: %s\n", dir, address.Readable(line)) }
	}
	return options, r.security.apply(&options)
}

// dialHint guesses why there was no session.
func dialHint(err error) string {
	answered := (*client.ReplyError)(nil)
	certificate := (*tls.CertificateVerificationError)(nil)
	switch {
	case errors.As(err, &answered) && strings.HasPrefix(answered.Command, "AUTH"):
		return "--auth-user and the first line of --auth-password-file are what was sent to the server"
	case errors.As(err, &certificate):
		return "--ca names a file of certificate authorities to trust; --insecure takes any certificate"
	case errors.Is(err, client.ErrNoMechanism):
		return "PLAIN is used under TLS and on Unix sockets only: try --tls required"
	case errors.As(err, &answered) && answered.Reply.Permanent():
		return "the server may speak the other protocol: try --protocol lmtp or --protocol esmtp"
	case errors.As(err, &answered):
		return "the server is there, but takes no mail from here now: its log tells why"
	case errors.Is(err, fs.ErrPermission):
		return "the socket's owner, group and mode say who may connect"
	case isAbsent(err):
		return "is a server running there? doorstep serve --dev starts one"
	}
	return ""
}

// betweenTries is the pause after a connection that was refused. A server is ready within a few of them.
const betweenTries = 50 * time.Millisecond

// dial opens the session that the flags ask for. A shell that starts a server in the background runs the next line
// before the server listens, so a server that is not there yet is waited for, and stderr says so.
func (r *sendRequest) dial(ctx context.Context, stderr io.Writer) (*client.Client, client.Options, error) {
	options, err := r.clientOptions(stderr)
	if err != nil {
		return nil, options, err
	}
	end := time.Now().Add(r.wait)
	for said := false; ; said = true {
		c, err := client.Dial(ctx, r.server, options)
		if err == nil {
			return c, options, nil
		}
		if !isAbsent(err) || time.Until(end) <= 0 {
			return nil, options, cli.Failed(err, dialHint(err))
		}
		if !said {
			fmt.Fprintf(stderr, "waiting up to %v for a server (--wait): %s\n", r.wait, address.Readable(err.Error()))
		}
		select {
		case <-time.After(betweenTries):
		case <-ctx.Done():
			return nil, options, cli.Failed(err, dialHint(err))
		}
	}
}

// isAbsent reports that nothing listens at an address: a port that refuses connections, a socket that is
// missing, or one that an earlier server has left.
func isAbsent(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}
