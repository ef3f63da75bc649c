package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/auth"
)

// An Auth is the [auth] table.
type Auth struct {
	// PasswdFile is the path of the password file, absolute, or "".
	PasswdFile string
}

var authSection = table.Section[Auth]{
	Name: "auth",
	Doc:  "How clients authenticate.",
	Keys: []table.Key[Auth]{
		{Name: "passwd_file", Kind: table.Path(func(a *Auth) *string { return &a.PasswdFile }), Example: `"users"`,
			Doc: "A file of lines name:{SCHEME}secret, as Dovecot's passwd-file. It is read again when it changes. It must " +
				"be readable only by its owner and group."},
	},
}

// addMechanism adds a mechanism to those that a listener offers.
func addMechanism(l *Listen, _ *table.Value, name string) error {
	switch {
	case !slices.Contains(auth.Mechanisms, name):
		suggestion := hint.DidYouMean(name, auth.Mechanisms)
		if name == "LOGIN" {
			suggestion = "clients that know LOGIN know PLAIN"
		}
		return hint.New(hint.Quote(name)+" is not "+hint.AnyOf(auth.Mechanisms), suggestion)
	case slices.Contains(l.Auth, name):
		return hint.New(hint.Quote(name)+" is there twice", "")
	}
	l.Auth = append(l.Auth, name)
	return nil
}

// checkAuth checks that a listener that demands authentication offers it, and that each mechanism can be offered.
func (l listener) checkAuth(in *table.Input, tls TLS, a Auth) {
	if v := l.Value("require_auth"); v != nil && l.RequireAuth && !l.Sets("auth") {
		v.Add("no way to authenticate is offered", `write auth = ["SCRAM-SHA-256"]`)
	}
	// A password file that could not be read is a problem already.
	hasPasswords := a.PasswdFile != "" || in.Table("auth").Sets("passwd_file") || in.Table("auth").Suspect("passwd_file")
	hasAuthorities := tls.ClientCA != "" || tls.isBroken(in)
	for i, v := range l.Elements("auth") {
		v.Refuse(l.checkMechanism(l.Auth[i], hasPasswords, hasAuthorities))
	}
}

// checkMechanism says why a mechanism could never be offered on a listener.
func (l listener) checkMechanism(name string, hasPasswords, hasAuthorities bool) error {
	// The server sees only when it starts which sockets systemd opened.
	onUnix, onTCP := l.Network == "unix", l.Network == "tcp"
	clear := onTCP && (l.TLS == TLSOff || l.TLS == "")
	switch name {
	case auth.ScramPlus:
		if onUnix {
			return hint.New(name+" binds to TLS, which there is none of on a Unix socket", `write "SCRAM-SHA-256"`)
		}
		if clear {
			return hint.New(name+" binds to TLS, which there is none of here", `write tls = "required"`)
		}
	case auth.Plain:
		if clear {
			return hint.New("PLAIN would let passwords travel in the clear", `write tls = "required"`)
		}
	case auth.External:
		if clear {
			return hint.New("EXTERNAL needs TLS, with certificates of clients",
				`write tls = "required", and client_ca in [tls]`)
		}
		if onTCP && !hasAuthorities {
			return hint.New(noClientCA, writeClientCA)
		}
		return nil
	}
	if !hasPasswords {
		return hint.New(name+" needs a password file", `write [auth] and passwd_file = "users"`)
	}
	return nil
}

// maxPasswdProblems bounds the lines of the password file that are reported one by one.
const maxPasswdProblems = 10

// checkFiles checks the password file. report takes what is wrong with the value of a key.
func (a Auth) checkFiles(listeners []Listen, report func(key string, err error)) {
	if a.PasswdFile == "" {
		return
	}
	if err := checkSecret(a.PasswdFile); err != nil {
		report("passwd_file", err)
		if !errors.As(err, new(hint.Error)) {
			return // it cannot be read
		}
	}
	users, problems, err := auth.Load(a.PasswdFile)
	report("passwd_file", err)
	for i, p := range problems {
		if i == maxPasswdProblems {
			report("passwd_file", fmt.Errorf("%d more lines of %s are not understood", len(problems)-i, a.PasswdFile))
			break
		}
		report("passwd_file", fmt.Errorf("line %d of %s: %s", p.Line, a.PasswdFile, p.Text))
	}
	wantsScram := slices.ContainsFunc(listeners, func(l Listen) bool {
		return slices.Contains(l.Auth, auth.Scram) || slices.Contains(l.Auth, auth.ScramPlus)
	})
	if err == nil && wantsScram && !users.HasScram() {
		report("passwd_file", hint.Warning("has no {SCRAM-SHA-256} password, and so SCRAM-SHA-256 is not offered",
			"doveadm pw -s SCRAM-SHA-256 makes them"))
	}
}
