package config

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// An Admin is the [admin] table: the listener for those who look after the server.
type Admin struct {
	// Socket is where it listens. Only Network, Address, Mode, Owner and Group are set; Network is "" if there is no
	// such listener.
	Socket Listen
	// TokenFile holds what clients must show, an absolute path; "" if the socket decides.
	TokenFile string
}

var adminSection = table.Section[Admin]{
	Name: "admin",
	Doc: "A listener for those who look after the server: metrics for Prometheus, health, a status page, and what " +
		"doorstep status and doorstep trace ask. See monitoring.md.",
	Keys: slices.Concat(table.Of(func(a *Admin) *Listen { return &a.Socket }, adminSocketKeys...), []table.Key[Admin]{
		{Name: "token_file", Example: `"admin-token"`, Restart: true,
			Kind: table.OptionalPath(func(a *Admin) *string { return &a.TokenFile }),
			Doc: "A file with the bearer token, or password of any user, for everything but /healthz: at least 16 " +
				"characters, readable only by its owner and group. Default: the socket alone decides; \"\" states that this " +
				"is intended on a loopback address."},
	}),
}

var adminSocketKeys = []table.Key[Listen]{
	{Name: "address", Example: `"unix:/run/doorstep/admin.sock"`, Restart: true,
		Kind: table.Text("unix:PATH or tcp:HOST:PORT", setSocketAddress),
		Doc: "Where to listen: on a Unix socket or a loopback address, and elsewhere only with token_file. Default: " +
			"nowhere."},
	{Name: "mode", Kind: table.Mode(func(l *Listen) *fs.FileMode { return &l.Mode }), Example: `"0660"`, Restart: true,
		Doc: "Unix sockets: the mode of the socket file. Default: 0600."},
	{Name: "owner", Example: `"doorstep"`, Restart: true,
		Kind: table.Parsed("a user", parsePrincipal, func(l *Listen) *string { return &l.Owner }),
		Doc:  "Unix sockets: the owner of the socket file. Default: the user who runs the server."},
	{Name: "group", Example: `"adm"`, Restart: true,
		Kind: table.Parsed("a group", parsePrincipal, func(l *Listen) *string { return &l.Group }),
		Doc:  "Unix sockets: the group of the socket file. Default: the group that runs the server."},
}

// check checks what the keys of [admin] say of one another, and of the listeners.
func (a *Admin) check(in *table.Input, listeners []Listen) {
	l, t := &a.Socket, in.Table("admin")
	v := t.Value("address")
	if l.Network == "" {
		return
	}
	for i := range listeners {
		other := &listeners[i]
		if other.Network == l.Network && canonicalAddress(other) == canonicalAddress(l) {
			at := in.Element("listen", i).Value("address")
			v.Add("already listened on by "+at.Key+" at "+at.Where(), "")
		}
	}
	switch l.Network {
	case "systemd":
		v.Add("is for [[listen]] only", `write "unix:/run/doorstep/admin.sock"`)
	case "unix":
		if l.Mode == 0 {
			l.Mode = 0o600
		}
	default:
		for _, name := range []string{"mode", "owner", "group"} {
			if v := t.Value(name); v != nil {
				v.AddKey("is for Unix sockets only", "")
			}
		}
		a.checkExposed(t)
	}
}

// checkExposed checks that a TCP listener has a token.
func (a *Admin) checkExposed(t table.Table) {
	v, meant := t.Value("address"), t.Sets("token_file")
	switch {
	case a.TokenFile != "" || t.Suspect("token_file"):
	case !isLoopback(&a.Socket):
		v.Add("any client that reaches this address could read what the admin listener answers",
			"use 127.0.0.1 or a Unix socket, or set admin.token_file")
	case !meant:
		v.Warn("every user of this machine may read what the admin listener tells",
			`write "unix:/run/doorstep/admin.sock", or set admin.token_file`)
	}
}

// minToken is how many characters a token has at least: it is all that keeps others out.
const minToken = 16

// ReadToken reads the token of the admin listener. It refuses a file that every user of the machine may read, as who
// reads the token can use it.
func ReadToken(path string) (token string, err error) {
	if err := checkSecret(path); err != nil {
		return "", err
	}
	b, err := readMost(path, maxSecret+1)
	if err != nil {
		return "", err
	}
	token = strings.TrimSpace(string(b))
	const write = "openssl rand -hex 32 makes one"
	switch {
	case len(b) > maxSecret || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", hint.New(hint.Quote(path)+" is not one word of ASCII", write)
	case len(token) < minToken:
		return "", hint.New(hint.Quote(path)+" has a token of less than "+strconv.Itoa(minToken)+" characters", write)
	}
	return token, nil
}

// Hint returns what can be done about an error of this package, or "".
func Hint(err error) string {
	var e hint.Error
	if errors.As(err, &e) {
		return e.Hint
	}
	if errors.Is(err, fs.ErrPermission) {
		return "the user who runs this must be able to read it"
	}
	return ""
}
