// Package ldap is a directory in LDAP (RFC 4511): accounts, aliases and domains are entries, found by
// filters, and what is known of them by attributes. Schema says which.
//
// What a server finds equal is its own matter: it ignores case and spaces. So an entry counts only
// when an address that it says has the key that was asked for.
package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	client "github.com/go-ldap/ldap/v3"
)

// Options describe a directory.
type Options struct {
	// URLs are the servers: ldap://HOST:PORT, ldaps://HOST:PORT or ldapi:///PATH. The first that
	// takes a connection is used.
	URLs []string
	// StartTLS begins TLS on ldap:// before anything is said (RFC 4513 §3).
	StartTLS bool
	// TLS is for StartTLS and ldaps://; its ServerName is the URL's host. [that of the system]
	TLS *tls.Config
	// BindDN is who asks; "" asks anonymously. Password is asked for it at each bind.
	BindDN   string
	Password func() (string, error)
	// Base is the entry below which all is.
	Base   string
	Schema Schema
	// Key returns the key of an address in the directory.
	Key directory.Keyer
	// Timeout bounds one question, with all that it takes. [5s]
	Timeout time.Duration
	// Connections bounds those that are open; who finds none waits. [8]
	Connections int
}

// A Directory asks a server. Nothing is connected before the first question.
type Directory struct {
	options Options
	pool    *pool
}

// Open returns a directory. Its error is one of Options, not of the server.
func Open(o Options) (*Directory, error) {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Connections <= 0 {
		o.Connections = 8
	}
	for what, filter := range o.Schema.Filters.all() {
		if err := CheckFilter(filter); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	if o.Schema.IterateFilter != "" {
		if err := checkIterateFilter(o.Schema.IterateFilter); err != nil {
			return nil, fmt.Errorf("iterate filter: %w", err)
		}
	}
	servers, err := parseURLs(o.URLs)
	if err != nil {
		return nil, err
	}
	return &Directory{options: o, pool: newPool(o, servers)}, nil
}

// Close closes idle connections, and the others when they have answered.
func (d *Directory) Close() error { return d.pool.close() }

// maxEntries bounds the entries of one answer. One is usual.
const maxEntries = 20

// Lookup finds an account, or else what an address stands for.
func (d *Directory) Lookup(ctx context.Context, key directory.Key) (directory.Entry, error) {
	if !isText(key.Local) || !isText(key.Domain) || key.Domain == "" {
		return directory.Entry{}, directory.ErrNotFound // nothing has an address of such octets
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	schema := d.options.Schema
	if key.Local == "" {
		return d.alias(ctx, schema.CatchAllFilter, key)
	}
	account, err := d.account(ctx, key)
	if !errors.Is(err, directory.ErrNotFound) {
		return directory.Entry{Account: account}, err
	}
	return d.alias(ctx, schema.AliasFilter, key)
}

// account finds the account that has an address.
func (d *Directory) account(ctx context.Context, key directory.Key) (*directory.Account, error) {
	entries, err := d.search(ctx, d.options.Schema.UserFilter, key)
	if err != nil {
		return nil, err
	}
	entries = d.matching(entries, key)
	switch len(entries) {
	case 0:
		return nil, directory.ErrNotFound
	case 1:
		return d.record(entries[0], key)
	}
	return nil, directory.Broken(key.String(), "is in several entries: %s, %s", entries[0].DN, entries[1].DN)
}

// alias finds what an address stands for. Several entries add up.
func (d *Directory) alias(ctx context.Context, filter string, key directory.Key) (directory.Entry, error) {
	entries, err := d.search(ctx, filter, key)
	if err != nil {
		return directory.Entry{}, err
	}
	var targets []string
	found := d.matching(entries, key)
	for _, e := range found {
		targets = append(targets, e.GetEqualFoldAttributeValues(d.options.Schema.Target)...)
	}
	switch {
	case len(found) == 0:
		return directory.Entry{}, directory.ErrNotFound
	case len(targets) == 0:
		return directory.Entry{}, directory.Broken(key.String(), "%s has no %s", found[0].DN, d.options.Schema.Target)
	}
	return directory.Entry{Targets: targets}, nil
}

// Domain finds a domain.
func (d *Directory) Domain(ctx context.Context, key string) (directory.Domain, error) {
	if key == "" || !isText(key) {
		return directory.Domain{}, directory.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	entries, err := d.search(ctx, d.options.Schema.DomainFilter, directory.Key{Domain: key})
	if err != nil {
		return directory.Domain{}, err
	}
	for _, e := range entries {
		names := e.GetEqualFoldAttributeValues(d.options.Schema.Domain)
		if len(names) == 0 {
			continue
		}
		if hasDomain(names, key) {
			return directory.Domain{Name: names[0]}, nil
		}
		if hasDomain(e.GetEqualFoldAttributeValues(d.options.Schema.DomainAlias), key) {
			return directory.Domain{Name: key, AliasOf: names[0]}, nil
		}
	}
	return directory.Domain{}, directory.ErrNotFound
}

// search returns the entries that a filter finds for a key; ErrNotFound where there is no filter.
func (d *Directory) search(ctx context.Context, filter string, key directory.Key) ([]*client.Entry, error) {
	if filter == "" {
		return nil, directory.ErrNotFound
	}
	request := &client.SearchRequest{
		BaseDN: d.options.Base, Scope: client.ScopeWholeSubtree, DerefAliases: client.NeverDerefAliases,
		SizeLimit: maxEntries, TimeLimit: int(d.options.Timeout/time.Second) + 1, EnforceSizeLimit: true,
		Filter: fill(filter, key), Attributes: d.options.Schema.Attributes.all(),
	}
	result, err := d.pool.search(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("ask LDAP for %q below %q: %w", key, d.options.Base, err)
	}
	return result.Entries, nil
}

// matching returns the entries with an address that has the key.
func (d *Directory) matching(entries []*client.Entry, key directory.Key) []*client.Entry {
	var found []*client.Entry
	for _, e := range entries {
		for _, name := range []string{d.options.Schema.Address, d.options.Schema.OtherAddresses} {
			if d.hasKey(e.GetEqualFoldAttributeValues(name), key) {
				found = append(found, e)
				break
			}
		}
	}
	return found
}

// hasKey reports whether one of the addresses, or of "@domain" for a catch-all, has the key.
func (d *Directory) hasKey(values []string, key directory.Key) bool {
	for _, value := range values {
		if key.Local == "" {
			domain, ok := strings.CutPrefix(value, "@")
			if ok && hasDomain([]string{domain}, key.Domain) {
				return true
			}
			continue
		}
		if k, err := d.options.Key(value); err == nil && k == key {
			return true
		}
	}
	return false
}

// hasDomain reports whether one of the names, in either spelling, has the key.
func hasDomain(names []string, key string) bool {
	for _, name := range names {
		if k, err := address.DomainKey(name); err == nil && k == key {
			return true
		}
	}
	return false
}

// isText reports whether s can be part of a value: UTF-8 without NUL.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
