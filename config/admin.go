package config

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
)

// An Admin is the [admin] table: the listener for those who look after the server.
type Admin struct {
	// Socket is where it listens: Network, Address, Mode, Owner and Group count. Its Network is ""
	// where there is no such listener.
	Socket Listen
	// TokenFile holds what clients must show, an absolute path; "" where the socket decides.
	TokenFile string
}

// leastToken is how many characters a token must have: it is all that keeps others out.
const leastToken = 16

// maxToken is more than any token has.
const maxToken = 4096

// ofAdmin makes a key of a listener one of the admin listener, which is a socket like others.
func ofAdmin(k kind) kind {
	return kind{k.takes, k.schema, func(r *reader, v value) {
		defer func(before *Listen) { r.listen = before }(r.listen)
		r.listen = &r.config.Admin.Socket
		k.read(r, v)
	}}
}

// readTokenFile takes a path; "" says that none is wanted.
func readTokenFile(r *reader, v value, s string) {
	if s == "" {
		return
	}
	if path, ok := r.absolute(v, s); ok {
		r.config.Admin.TokenFile = path
	}
}

// checkAdmin checks what the keys of [admin] say of one another, and of the listeners.
func (r *reader) checkAdmin() {
	l := &r.config.Admin.Socket
	v := r.said["admin.address"]
	if l.Network == "" {
		return
	}
	for i := range r.config.Listen {
		other := &r.config.Listen[i]
		if other.Network == l.Network && canonical(other) == canonical(l) {
			at := r.said["listen["+itoa(i)+"].address"]
			r.problems.add(v.place(), "already listened on by "+at.key+" at "+at.place().String(), "")
		}
	}
	if l.Network == "systemd" {
		r.problems.add(v.place(), "is for [[listen]] only", `write "unix:/run/doorstep/admin.sock"`)
		return
	}
	if l.Network == "unix" {
		if l.Mode == 0 {
			l.Mode = 0o600
		}
		return
	}
	for _, name := range []string{"mode", "owner", "group"} {
		if v, said := r.said["admin."+name]; said {
			r.problems.add(v.name(), "is for Unix sockets only", "")
		}
	}
	if r.config.Admin.TokenFile != "" || r.doubt["admin.token_file"] {
		return
	}
	if l.IsLoopback() {
		if _, meant := r.said["admin.token_file"]; meant {
			return
		}
		r.problems.warn(v.place(), "every user of this machine may read what the admin listener tells", `write "unix:/run/doorstep/admin.sock", or set admin.token_file`)
		return
	}
	r.problems.add(v.place(), "whoever reaches this address could read what the admin listener tells", "use 127.0.0.1 or a Unix socket, or set admin.token_file")
}

// IsLoopback reports whether a TCP listener can only be reached from this machine.
func (l Listen) IsLoopback() bool {
	host, _, err := net.SplitHostPort(canonical(&l))
	if l.Network != "tcp" || err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}

// checkAdminFiles checks the socket and the token of [admin].
func (c *Config) checkAdminFiles(report func(path string, err error)) {
	l := c.Admin.Socket
	if l.Network == "" {
		return
	}
	if l.Network == "unix" {
		report("admin.address", c.checkSocket(l.Address))
	}
	if l.Owner != "" {
		_, err := UserID(l.Owner)
		report("admin.owner", err)
	}
	if l.Group != "" {
		_, err := GroupID(l.Group)
		report("admin.group", err)
	}
	if c.Admin.TokenFile != "" {
		_, err := ReadToken(c.Admin.TokenFile)
		report("admin.token_file", err)
	}
}

// ReadToken reads the token of the admin listener. A file that others may read is refused: who can
// read it can use it.
func ReadToken(path string) (token string, err error) {
	if err := checkSecret(path); err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", err
	}
	token = strings.TrimSpace(string(b))
	const hint = "openssl rand -hex 32 makes one"
	switch {
	case len(b) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fault{quote(path) + " is not one word of ASCII", hint}
	case len(token) < leastToken:
		return "", fault{quote(path) + " has a token of less than " + itoa(leastToken) + " characters", hint}
	}
	return token, nil
}

// Hint is what can be done about an error of this package, "" where it says nothing of that.
func Hint(err error) string {
	var f fault
	if errors.As(err, &f) {
		return f.hint
	}
	if errors.Is(err, fs.ErrPermission) {
		return "the user who runs this must be able to read it"
	}
	return ""
}
