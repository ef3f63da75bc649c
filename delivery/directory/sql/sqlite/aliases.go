package sqlite

import (
	"context"
	db "database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An Alias is an address, or @domain for a catch-all, with the addresses that it stands for.
type Alias struct {
	Address string
	Targets []string
}

// Key is the key of an address, or of a catch-all.
func (s *Store) Key(text string) (directory.Key, error) {
	if domain, ok := strings.CutPrefix(text, "@"); ok {
		key, err := domainKey(domain)
		return directory.Key{Domain: key}, err
	}
	return s.key(text)
}

// AddAlias makes an address stand for targets, besides those that it stands for already.
func (s *Store) AddAlias(ctx context.Context, alias string, targets ...string) error {
	key, err := s.Key(alias)
	if err != nil {
		return err
	}
	for _, target := range targets {
		if _, err := address.Parse(target); err != nil {
			return notOne(target, ErrAddress, err)
		}
		if k, err := s.key(target); err == nil && k == key {
			return fmt.Errorf("alias %s would stand for itself", alias)
		}
	}
	return s.change(ctx, key, func(tx *db.Tx) error {
		if err := s.inDomain(ctx, tx, key); err != nil {
			return err
		}
		there, err := isThere(ctx, tx, "SELECT 1 FROM alias WHERE domain_key = ? AND local_key = ?", key.Domain, key.Local)
		if err != nil {
			return err
		}
		if !there {
			if err := free(ctx, tx, alias, key); err != nil {
				return err
			}
		}
		for _, target := range targets {
			_, err := tx.ExecContext(ctx, `INSERT INTO alias (domain_key, local_key, address, target) VALUES (?, ?, ?, ?)
				ON CONFLICT DO NOTHING`, key.Domain, key.Local, alias, target)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteAlias deletes an alias, or only some of its targets where any are given.
func (s *Store) DeleteAlias(ctx context.Context, alias string, targets ...string) error {
	key, err := s.Key(alias)
	if err != nil {
		return err
	}
	return s.change(ctx, key, func(tx *db.Tx) error {
		const whole = "DELETE FROM alias WHERE domain_key = ? AND local_key = ?"
		if len(targets) == 0 {
			return missing(deleteRows(ctx, tx, whole, key.Domain, key.Local), "alias "+alias)
		}
		for _, target := range targets {
			err := deleteRows(ctx, tx, whole+" AND target = ?", key.Domain, key.Local, target)
			if err := missing(err, "alias "+alias+" for "+target); err != nil {
				return err
			}
		}
		return nil
	})
}

// missing says what is missing.
func missing(err error, what string) error {
	if errors.Is(err, ErrMissing) {
		return fmt.Errorf("%s %w", what, err)
	}
	return err
}

// Aliases returns all aliases, or those of one domain, by their keys.
func (s *Store) Aliases(ctx context.Context, domain string) iter.Seq2[Alias, error] {
	return func(yield func(Alias, error) bool) {
		query, args, err := s.ofDomain(ctx, "SELECT domain_key, local_key, address, target FROM alias", domain)
		if err != nil {
			yield(Alias{}, err)
			return
		}
		rows, err := s.db.QueryContext(ctx, query+" ORDER BY domain_key, local_key, target", args...)
		if err != nil {
			yield(Alias{}, err)
			return
		}
		defer rows.Close()
		var last directory.Key
		var alias Alias
		for rows.Next() {
			var key directory.Key
			var text, target string
			if err := rows.Scan(&key.Domain, &key.Local, &text, &target); err != nil {
				yield(Alias{}, err)
				return
			}
			if key != last && alias.Address != "" && !yield(alias, nil) {
				return
			}
			if key != last {
				last, alias = key, Alias{Address: text}
			}
			alias.Targets = append(alias.Targets, target)
		}
		if err := rows.Err(); err != nil {
			yield(Alias{}, err)
		} else if alias.Address != "" {
			yield(alias, nil)
		}
	}
}
