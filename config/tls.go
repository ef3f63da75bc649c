package config

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/auth"
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
	Certificate, Key string // PEM; the chain stands behind the certificate
	// ClientCA vouches for the certificates of clients.
	ClientCA string
}

// An Auth is the [auth] table.
type Auth struct {
	// PasswdFile is the path of the password file, absolute, or "".
	PasswdFile string
}

// file is a path to a file.
func file(at func(r *reader) *string) kind {
	return text("a path", func(r *reader, v value, s string) {
		if path, ok := r.absolute(v, s); ok {
			*at(r) = path
		}
	})
}

func beginMechanisms(r *reader, v value, length int) {
	if length == 0 {
		r.problems.add(v.place(), "no mechanism is no authentication", "leave it out")
	}
}

func readMechanism(r *reader, v value, s string) {
	switch {
	case !slices.Contains(auth.Mechanisms, s):
		hint := didYouMean(s, auth.Mechanisms)
		if s == "LOGIN" {
			hint = "clients that know LOGIN know PLAIN"
		}
		r.problems.add(v.place(), quote(s)+" is not "+anyOf(auth.Mechanisms), hint)
	case slices.Contains(r.listen.Auth, s):
		r.problems.add(v.place(), quote(s)+" is there twice", "")
	default:
		r.listen.Auth = append(r.listen.Auth, s)
	}
}

// checkTLS checks what the keys of TLS say of one another, and that there is what a listener needs
// of [tls] and [auth].
func (r *reader) checkTLS() {
	c := &r.config
	switch v := r.said["tls"]; {
	case r.badTLS():
	case c.TLS.Certificate == "" && c.TLS != TLS{}:
		r.problems.add(v.name(), "certificate is missing", `write certificate = "cert.pem"`)
	case c.TLS.Key == "" && c.TLS != TLS{}:
		r.problems.add(v.name(), "key is missing", `write key = "key.pem"`)
	}
	for i := range c.Listen {
		if l := &c.Listen[i]; l.Network != "" {
			r.checkListenTLS("listen["+itoa(i)+"].", l)
			r.checkListenAuth("listen["+itoa(i)+"].", l)
		}
	}
}

// badTLS reports whether a problem says already why a path of [tls] is not known.
func (r *reader) badTLS() bool {
	for _, p := range r.problems {
		if strings.HasPrefix(p.Key, "tls.") && !p.Warning {
			return true
		}
	}
	return r.doubt["tls.certificate"] || r.doubt["tls.key"]
}

func (r *reader) checkListenTLS(path string, l *Listen) {
	hasTLS := r.config.TLS != TLS{} || r.badTLS() // what is missing of it is a problem already
	if v, said := r.said[path+"tls"]; said && l.TLS != TLSOff {
		switch {
		case l.Network == "unix":
			r.problems.add(v.place(), "there is no TLS on a Unix socket: the kernel keeps others from listening", "leave it out")
		case !hasTLS:
			r.problems.add(v.place(), "needs a certificate", `write [tls] and certificate = "cert.pem", key = "key.pem"`)
		}
	}
	v, said := r.said[path+"require_certificate"]
	switch {
	case !said || !l.RequireCertificate:
	case l.TLS != TLSRequired && l.TLS != TLSImplicit:
		r.problems.add(v.place(), "clients need not even use TLS here", `write tls = "required"`)
	case hasTLS && r.config.TLS.ClientCA == "" && !r.badTLS():
		r.problems.add(v.place(), "nobody vouches for the certificates of clients", `write client_ca = "clients.pem" in [tls]`)
	}
}

func (r *reader) checkListenAuth(path string, l *Listen) {
	if v, said := r.said[path+"require_auth"]; said && l.RequireAuth {
		if _, offered := r.said[path+"auth"]; !offered {
			r.problems.add(v.place(), "no way to authenticate is offered", `write auth = ["SCRAM-SHA-256"]`)
		}
	}
	left := slices.Clone(l.Auth)
	for i := 0; ; i++ {
		v, said := r.said[path+"auth["+itoa(i)+"]"]
		if !said {
			return
		}
		// What is left out here is a problem already: no mechanism, or there twice.
		name, _ := v.data.(string)
		n := slices.Index(left, name)
		if n < 0 {
			continue
		}
		left = slices.Delete(left, n, n+1)
		if text, hint := r.mechanismLacks(l, name); text != "" {
			r.problems.add(v.place(), text, hint)
		}
	}
}

// mechanismLacks says why a mechanism could never be offered on a listener; "" where it can.
func (r *reader) mechanismLacks(l *Listen, mechanism string) (text, hint string) {
	secure := l.TLS != TLSOff && l.TLS != ""
	tcp := l.Network == "tcp" // of what systemd opens the server sees when it starts
	switch {
	case mechanism == auth.ScramPlus && l.Network == "unix":
		return mechanism + " binds to TLS, which there is none of on a Unix socket", `write "SCRAM-SHA-256"`
	case mechanism == auth.ScramPlus && tcp && !secure:
		return mechanism + " binds to TLS, which there is none of here", `write tls = "required"`
	case mechanism == auth.Plain && tcp && !secure:
		return "PLAIN would let passwords travel in the clear", `write tls = "required"`
	case mechanism == auth.External && tcp && !secure:
		return "EXTERNAL needs TLS, with certificates of clients", `write tls = "required", and client_ca in [tls]`
	case mechanism == auth.External && tcp && r.config.TLS.ClientCA == "" && !r.badTLS():
		return "nobody vouches for the certificates of clients", `write client_ca = "clients.pem" in [tls]`
	case mechanism != auth.External && r.config.Auth.PasswdFile == "" && !r.doubt["auth.passwd_file"]:
		if _, said := r.said["auth.passwd_file"]; !said {
			return mechanism + " needs a password file", `write [auth] and passwd_file = "users"`
		}
	}
	return "", ""
}
