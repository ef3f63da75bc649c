package delivery_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// fixtureOptions are what a session can ask for by "with:".
var fixtureOptions = map[string]func(*testing.T, *fixture){
	"over-quota-reject": func(_ *testing.T, f *fixture) { f.router.RejectFull = true },
	"full-postmaster": func(_ *testing.T, f *fixture) {
		f.router.Resolver.Postmaster = route.Named{Key: directory.Key{Local: "full", Domain: "dst.example"}}
	},
	// With 100 MiB beyond its quota, by the name of a file.
	"overfull-postmaster": func(t *testing.T, f *fixture) {
		f.router.Resolver.Postmaster = route.Named{Key: directory.Key{Local: "full", Domain: "dst.example"}}
		name := filepath.Join(f.root, "dst.example", "full", "Maildir", "cur", "2.b,S=104857600:2,S")
		must(t, os.WriteFile(name, nil, 0o600))
	},
	"trusted":   func(_ *testing.T, f *fixture) { f.server.Peers.Trusted = func(net.Conn) bool { return true } },
	"untrusted": func(_ *testing.T, f *fixture) { f.server.Peers.Trusted = func(net.Conn) bool { return false } },
	// The proxy is trusted, who is behind it is not, but for one.
	"proxy": func(_ *testing.T, f *fixture) {
		f.server.Peers.ProxyProtocol = true
		f.server.Peers.Trusted = func(nc net.Conn) bool {
			tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
			return !ok || tcp.IP.String() == "192.0.2.99"
		}
	},
	"priority": func(_ *testing.T, f *fixture) { f.server.Extensions.MTPriority = true },
	"rrvs":     func(_ *testing.T, f *fixture) { f.server.Extensions.RRVS, f.agent.RRVS = true, true },
	"dsn":      func(t *testing.T, f *fixture) { owes(t, f, outbox.Options{}) },
	"binary":   func(_ *testing.T, f *fixture) { f.server.Extensions.BinaryMIME = true },
	"lenient": func(_ *testing.T, f *fixture) {
		f.server.Syntax.Lenient8Bit = func(*lmtp.Session) bool { return true }
	},
	"single":  func(_ *testing.T, f *fixture) { f.agent.SingleCopy = true },
	"mailmax": func(_ *testing.T, f *fixture) { f.server.Limits.Transactions = 2 },
	"rcptmax": func(_ *testing.T, f *fixture) { f.server.Limits.Recipients = 100 },
}

func (f *fixture) with(t *testing.T, options []string) {
	t.Helper()
	for _, name := range options {
		set, ok := fixtureOptions[name]
		if !ok {
			t.Fatalf("with: no option %q", name)
		}
		set(t, f)
	}
}

// owned says since when accounts have their owner: u1 since 2010, u2 since 2020, of others it
// is not known.
func owned(a *directory.Account) {
	switch a.Key.Local {
	case "u1":
		a.OwnerSince = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	case "u2":
		a.OwnerSince = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
}
