package build

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/passwdfile"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/mysql"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/postgres"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An opener makes the directory that a [[directory]] describes. One that holds something, such as
// connections, is an io.Closer. It does not wait for a database: one that is down at the start
// defers mail until it is up.
type opener func(d config.Directory, key directory.Keyer, log *slog.Logger) (directory.Directory, error)

// openers has one for each driver.
var openers = map[config.Driver]opener{
	config.PasswdFile:     openPasswdFile,
	config.SQLite:         openSQLite,
	config.LDAPDriver:     openLDAP,
	config.SystemAccounts: openSystem,
	config.Postgres:       openServer(postgres.Open),
	config.MySQL:          openServer(mysql.Open),
}

// ownBackend is the name of the accounts of the configuration itself.
const ownBackend = "users"

// Backends are the names of all that is asked about an account.
func Backends(c *config.Config) []string {
	names := []string{ownBackend}
	for _, d := range c.Directories {
		names = append(names, d.Name)
	}
	return names
}

// OpenDirectory opens what a [[directory]] describes, without its cache.
func OpenDirectory(d config.Directory, domains *route.Resolver, log *slog.Logger) (directory.Directory, error) {
	open, ok := openers[d.Driver]
	if !ok {
		return nil, fmt.Errorf("driver %q is unknown", d.Driver)
	}
	return open(d, Keyer(domains), log.With("directory", d.Name))
}

// Directory is the chain of all directories: the accounts of the configuration, and then each
// [[directory]] with its cache.
func Directory(
	c *config.Config, accounts *static.Directory, domains *route.Resolver, w *observe.Observers, log *slog.Logger,
) (*directory.Chain, error) {
	lookups := w.Lookups()
	own := directory.Backend{Name: ownBackend, Directory: lookups.Watch(ownBackend, accounts, log)}
	chain := &directory.Chain{Backends: []directory.Backend{own}}
	for _, d := range c.Directories {
		opened, err := OpenDirectory(d, domains, log)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("directory %s: %w", d.Name, err), chain.Close())
		}
		closer, _ := opened.(io.Closer)
		var epoch func() uint64
		if file, ok := opened.(interface{ Epoch() uint64 }); ok {
			epoch = file.Epoch
		}
		opened, breaker := directory.Bounded(d.Name, opened, d.Timeout, w.Hangs(log))
		opened = lookups.Watch(d.Name, opened, log) // the backend, not its cache
		if d.IsCached() {
			opened = directory.NewCache(opened, directory.CacheOptions{
				TTL: d.CacheTTL, NegativeTTL: d.NegativeTTL, Stale: d.Stale, Timeout: d.Timeout, Epoch: epoch,
			})
		}
		chain.Backends = append(chain.Backends, directory.Backend{
			Name: d.Name, Directory: opened, Yields: d.FirstCounts, Closer: closer, Breaker: breaker,
		})
	}
	chain.Overlaps = directory.NewOverlaps(chain, log, func(o directory.Overlap) { logOverlap(log, o) })
	return chain, nil
}

// logOverlap reports an address that several directories have.
func logOverlap(log *slog.Logger, o directory.Overlap) {
	who := log.With("address", o.Key.String(), "directories", o.Backends)
	if o.Deferred {
		who.Error("several directories have this address, its mail is deferred", "hint", OverlapHint)
	} else {
		who.Warn("several directories have this address, the first counts")
	}
}

// OverlapHint says what to do about an address that several directories have.
const OverlapHint = `take it out of all but one, or write claimed_twice = "first" ` +
	`in the [[directory]] that is not to count`

// Keyer returns the keys of addresses as administrators write them.
func Keyer(domains *route.Resolver) directory.Keyer {
	return func(text string) (directory.Key, error) {
		a, err := address.Parse(text)
		if err != nil {
			return directory.Key{}, err
		}
		return domains.Key(a)
	}
}

// Forget drops the answers that a directory remembers for an address or, for "@domain", for a domain and all that is in
// it.
func Forget(r *route.Resolver, text string) (err error) {
	var key directory.Key
	if domain, ok := strings.CutPrefix(text, "@"); ok {
		key.Domain, err = address.DomainKey(domain)
	} else {
		key, err = Keyer(r)(text)
	}
	if chain, ok := r.Directory.(*directory.Chain); ok && err == nil {
		chain.Forget(key)
	}
	return err
}

// CloseDirectory closes what buildDirectory opened.
func CloseDirectory(d directory.Directory) error {
	if closer, ok := d.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

func openPasswdFile(d config.Directory, key directory.Keyer, log *slog.Logger) (directory.Directory, error) {
	return passwdfile.Open(passwdfile.Options{
		Path: d.File, Key: key, DefaultDomain: d.DefaultDomain,
		Complain: func(err error) { log.Error("accounts", "error", err) },
	}), nil
}
