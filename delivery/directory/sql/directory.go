// Package sql is a directory in a database: one engine over database/sql, with what differs
// between projects in a table of schemas (Preset) and what differs between databases in a Dialect.
// The packages below it open SQLite, PostgreSQL and MySQL.
//
// What a database finds equal is its own matter: collations ignore case, accents or trailing
// spaces. So a row counts only when the address that it says has the key that was asked for.
package sql

import (
	"context"
	db "database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/database"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// Options describe a directory.
type Options struct {
	DB      *db.DB
	Dialect Dialect
	// Queries are those of a preset, or the administrator's own.
	Queries Queries
	// Key returns the key of an address in the database.
	Key directory.Keyer
	// Timeout bounds one lookup. [5s]
	Timeout time.Duration
	// Ready, where it is set, looks at the database before it is asked for the first time.
	Ready func(context.Context, *db.DB) error
}

// A Directory finds accounts, aliases and domains in a database.
type Directory struct {
	options                                Options
	user, alias, catchAll, domain, iterate *statement // nil where there is no such query
	ready                                  once
}

// defaultTimeout is that of Options.Timeout.
const defaultTimeout = 5 * time.Second

// Open prepares the queries. It does not wait for the database: one that is down is an error of
// each lookup until it is up. An error of Open is a mistake in a query.
func Open(o Options) (*Directory, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	d := &Directory{options: o}
	account, alias := []string{"address"}, []string{"address", "target"}
	for _, q := range []struct {
		question
		text string
		to   **statement
	}{
		{question{"user_query", "the account", account}, o.Queries.User, &d.user},
		{question{"alias_query", "the alias", alias}, o.Queries.Alias, &d.alias},
		{question{"catch_all_query", "the alias", alias}, o.Queries.CatchAll, &d.catchAll},
		{question{"domain_query", "the domain", []string{"name"}}, o.Queries.Domain, &d.domain},
		{question{"iterate_query", "all accounts", account}, o.Queries.Iterate, &d.iterate},
	} {
		if q.text == "" {
			continue
		}
		s, err := newStatement(o.DB, o.Dialect, q.question, q.text)
		if err != nil {
			return nil, err
		}
		*q.to = s
	}
	if d.iterate != nil && len(d.iterate.names) > 0 {
		return nil, fmt.Errorf("iterate_query: it is for all accounts, and has no parameter :%s", d.iterate.names[0])
	}
	if d.catchAll == nil {
		d.catchAll = d.alias // a catch-all is the alias of an address without local part
	}
	return d, nil
}

// Close closes the connections.
func (d *Directory) Close() error { return d.options.DB.Close() }

// Lookup finds an account, or else an alias.
func (d *Directory) Lookup(ctx context.Context, key directory.Key) (directory.Entry, error) {
	about, ok := aboutAddress(key)
	if !ok {
		return directory.Entry{}, directory.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	if key.Local == "" {
		return d.lookupAlias(ctx, d.catchAll, key, about)
	}
	account, err := d.lookupAccount(ctx, key, about)
	if errors.Is(err, directory.ErrNotFound) {
		return d.lookupAlias(ctx, d.alias, key, about)
	}
	if err != nil {
		return directory.Entry{}, err
	}
	return directory.Entry{Account: account}, nil
}

func (d *Directory) lookupAccount(ctx context.Context, key directory.Key,
	about parameters) (*directory.Account, error) {
	rows, err := d.ask(ctx, d.user, about)
	if err != nil {
		return nil, err
	}
	rows, err = d.about(rows, key)
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, directory.ErrNotFound
	case len(rows) > 1:
		return nil, directory.Broken(key.String(), "is there %d times", len(rows))
	}
	return rows[0].account(key)
}

func (d *Directory) lookupAlias(ctx context.Context, s *statement, key directory.Key,
	about parameters) (directory.Entry, error) {
	rows, err := d.ask(ctx, s, about)
	if err != nil {
		return directory.Entry{}, err
	}
	rows, err = d.about(rows, key)
	if err != nil {
		return directory.Entry{}, err
	}
	var entry directory.Entry
	for _, r := range rows {
		targets, err := r.targets()
		if err != nil {
			return directory.Entry{}, directory.Broken(key.String(), "%w", err)
		}
		entry.Targets = append(entry.Targets, targets...)
	}
	if len(entry.Targets) == 0 {
		return directory.Entry{}, directory.ErrNotFound
	}
	return entry, nil
}

// Domain finds a domain. One that is another's name is that first: some projects have a row of
// each kind.
func (d *Directory) Domain(ctx context.Context, key string) (directory.Domain, error) {
	about, ok := aboutDomain(key)
	if !ok {
		return directory.Domain{}, directory.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	rows, err := d.ask(ctx, d.domain, about)
	if err != nil {
		return directory.Domain{}, err
	}
	found, err := directory.Domain{}, directory.ErrNotFound
	for _, r := range rows {
		domain, ours, broken := r.domain()
		if broken != nil {
			return directory.Domain{}, directory.Broken(key, "%w", broken)
		}
		if known, _ := address.DomainKey(domain.Name); known != key || !ours {
			continue
		}
		if err != nil || domain.AliasOf != "" {
			found, err = domain, nil
		}
	}
	return found, err
}

// ask runs a query, once more where the connection was lost: it only reads.
func (d *Directory) ask(ctx context.Context, s *statement, about parameters) ([]row, error) {
	if s == nil {
		return nil, nil
	}
	if err := d.look(ctx); err != nil {
		return nil, s.failed(err)
	}
	rows, err := s.query(ctx, about)
	if err != nil && ctx.Err() == nil && database.IsLost(err) {
		rows, err = s.query(ctx, about)
	}
	if err == nil || d.options.Dialect.CannotHold == nil || !d.options.Dialect.CannotHold(err) {
		return rows, s.failed(err)
	}
	if ascii := about.inALabels(); ascii != about {
		return d.ask(ctx, s, ascii) // the domain may be there in the form that needs ASCII only
	}
	return nil, nil
}

// look looks at the database before it is asked for the first time.
func (d *Directory) look(ctx context.Context) error {
	if d.options.Ready == nil {
		return nil
	}
	return d.ready.do(func() error { return d.options.Ready(ctx, d.options.DB) })
}

// errEnough ends the rows of a query.
var errEnough = errors.New("enough")

// Accounts returns all accounts, as their rows come.
func (d *Directory) Accounts(ctx context.Context) iter.Seq2[*directory.Account, error] {
	return func(yield func(*directory.Account, error) bool) {
		if d.iterate == nil {
			yield(nil, directory.ErrNotListed)
			return
		}
		err := d.look(ctx)
		if err == nil {
			err = d.iterate.each(ctx, parameters{}, func(r row) error {
				if !yield(d.listed(r)) {
					return errEnough
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, d.iterate.failed(err))
		}
	}
}

// listed understands a row of iterate_query.
func (d *Directory) listed(r row) (*directory.Account, error) {
	text, err := r.need("address")
	if err != nil {
		return nil, directory.Broken("", "%w", err)
	}
	key, err := d.options.Key(text)
	if err != nil {
		return nil, directory.Broken(text, "%w", err)
	}
	return r.account(key)
}

// about leaves the rows whose address has the key. A row whose key is not known may be the
// one: it is an error.
func (d *Directory) about(rows []row, key directory.Key) ([]row, error) {
	var found []row
	for _, r := range rows {
		text, err := r.need("address")
		if err != nil {
			return nil, directory.Broken(key.String(), "%w", err)
		}
		k, err := d.keyOf(text)
		if err != nil {
			return nil, directory.Broken(key.String(), "address %q in the database: %w", text, err)
		}
		if k == key {
			found = append(found, r)
			continue
		}
		if stored, ok := r.storedKey(); ok && stored == key {
			return nil, directory.Broken(key.String(), "the database has it for %q, whose key is %s now", text, k)
		}
	}
	return found, nil
}

// keyOf is the key of an address, or of a domain's catch-all.
func (d *Directory) keyOf(text string) (directory.Key, error) {
	if domain, ok := strings.CutPrefix(text, "@"); ok {
		key, err := address.DomainKey(domain)
		return directory.Key{Domain: key}, err
	}
	return d.options.Key(text)
}

// isText reports whether a database takes a key's part as text. What it does not take it does
// not have.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
