package sqlite

import (
	"context"
	db "database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A DomainRecord is a domain with what is in it.
type DomainRecord struct {
	directory.Domain
	Accounts, Aliases int
}

// domainKey is address.DomainKey for domains that can be taken mail for.
func domainKey(name string) (string, error) {
	key, err := address.DomainKey(name)
	switch {
	case err != nil:
		return "", notOne(name, ErrDomainName, err)
	case strings.HasPrefix(name, "["):
		return "", fmt.Errorf("%q %w, but an address literal", name, ErrDomainName)
	}
	return key, nil
}

// AddDomain adds a domain or, where aliasOf is not empty, another name of a domain.
func (s *Store) AddDomain(ctx context.Context, name, aliasOf string) error {
	key, err := domainKey(name)
	if err != nil {
		return err
	}
	return s.change(ctx, directory.Key{Domain: key}, func(tx *db.Tx) error {
		var other string
		err := tx.QueryRowContext(ctx, "SELECT name FROM domain WHERE domain_key = ?", key).Scan(&other)
		if err == nil {
			return fmt.Errorf("domain %s %w", other, ErrTaken)
		} else if !errors.Is(err, db.ErrNoRows) {
			return err
		}
		if aliasOf == "" {
			_, err := tx.ExecContext(ctx, "INSERT INTO domain (domain_key, name) VALUES (?, ?)", key, name)
			return err
		}
		of, err := domainKey(aliasOf)
		if err != nil {
			return err
		}
		if of == key {
			return fmt.Errorf("domain %s would be another name of itself", name)
		}
		if err := s.inDomain(ctx, tx, directory.Key{Domain: of}); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO domain (domain_key, name, alias_of) VALUES (?, ?, ?)", key, name, of)
		return err
	})
}

// DeleteDomain deletes a domain. One that is in use is refused with ErrInUse unless all goes with
// it: its accounts and aliases, and its other names. Mail stays where it is.
func (s *Store) DeleteDomain(ctx context.Context, name string, all bool) error {
	key, err := domainKey(name)
	if err != nil {
		return err
	}
	return s.change(ctx, directory.Key{Domain: key}, func(tx *db.Tx) error {
		if there, err := isThere(ctx, tx, "SELECT 1 FROM domain WHERE domain_key = ?", key); err != nil {
			return err
		} else if !there {
			return fmt.Errorf("domain %s %w", name, ErrMissing)
		}
		var accounts, aliases, names int
		err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM account WHERE domain_key = ?1),
			(SELECT count(*) FROM (SELECT DISTINCT local_key FROM alias WHERE domain_key = ?1)), (SELECT count(*) FROM domain WHERE alias_of = ?1)`, key).
			Scan(&accounts, &aliases, &names)
		if err != nil {
			return err
		}
		if accounts+aliases+names > 0 && !all {
			return fmt.Errorf("domain %s %w: accounts: %d, aliases: %d, other names: %d", name, ErrInUse, accounts, aliases,
				names)
		}
		for _, statement := range []string{
			"DELETE FROM account WHERE domain_key = ?", "DELETE FROM alias WHERE domain_key = ?",
			"DELETE FROM domain WHERE alias_of = ?", "DELETE FROM domain WHERE domain_key = ?",
		} {
			if _, err := tx.ExecContext(ctx, statement, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// Domains lists all domains, by their keys.
func (s *Store) Domains(ctx context.Context) (list []DomainRecord, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name, coalesce(alias_of, ''),
		(SELECT count(*) FROM account a WHERE a.domain_key = d.domain_key),
		(SELECT count(*) FROM (SELECT DISTINCT local_key FROM alias a WHERE a.domain_key = d.domain_key))
		FROM domain d ORDER BY domain_key`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d DomainRecord
		if err := rows.Scan(&d.Name, &d.AliasOf, &d.Accounts, &d.Aliases); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}
