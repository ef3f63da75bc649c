package sqlite

import (
	"context"
	db "database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// AddAccount adds an account. Its address must be free, and in a domain of the database; its Key
// is computed.
func (s *Store) AddAccount(ctx context.Context, a directory.Account) error {
	if err := s.complete(&a); err != nil {
		return err
	}
	return s.change(ctx, a.Key, func(tx *db.Tx) error {
		if err := s.inDomain(ctx, tx, a.Key); err != nil {
			return err
		}
		if err := free(ctx, tx, a.Address, a.Key); err != nil {
			return err
		}
		return insert(ctx, tx, a)
	})
}

// SetAccount changes an account: edit gets it as it is. The address may get another spelling, and
// no other key.
func (s *Store) SetAccount(ctx context.Context, address string, edit func(*directory.Account) error) error {
	key, err := s.key(address)
	if err != nil {
		return err
	}
	return s.change(ctx, key, func(tx *db.Tx) error {
		a, err := scanAccount(tx.QueryRowContext(ctx, selectAccounts+" WHERE domain_key = ? AND local_key = ?", key.Domain,
			key.Local))
		if errors.Is(err, db.ErrNoRows) {
			return fmt.Errorf("account %s %w", address, ErrMissing)
		} else if err != nil {
			return err
		}
		if err := edit(&a); err != nil {
			return err
		}
		if err := s.complete(&a); err != nil {
			return err
		}
		if a.Key != key {
			return fmt.Errorf("account %s: %s is another address", address, a.Address)
		}
		if err := remove(ctx, tx, key); err != nil {
			return err
		}
		return insert(ctx, tx, a)
	})
}

// DeleteAccount deletes an account. Its mail stays where it is.
func (s *Store) DeleteAccount(ctx context.Context, address string) error {
	key, err := s.key(address)
	if err != nil {
		return err
	}
	return s.change(ctx, key, func(tx *db.Tx) error {
		err := remove(ctx, tx, key)
		if errors.Is(err, ErrMissing) {
			return fmt.Errorf("account %s %w", address, err)
		}
		return err
	})
}

// Accounts returns all accounts, or those of one domain, by their keys.
func (s *Store) Accounts(ctx context.Context, domain string) iter.Seq2[directory.Account, error] {
	return func(yield func(directory.Account, error) bool) {
		query, args, err := s.ofDomain(ctx, selectAccounts, domain)
		if err != nil {
			yield(directory.Account{}, err)
			return
		}
		rows, err := s.db.QueryContext(ctx, query+" ORDER BY domain_key, local_key", args...)
		if err != nil {
			yield(directory.Account{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if a, err := scanAccount(rows); !yield(a, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(directory.Account{}, err)
		}
	}
}

// ofDomain makes a query one for a domain that is there, or leaves it as it is.
func (s *Store) ofDomain(ctx context.Context, query, domain string) (string, []any, error) {
	if domain == "" {
		return query, nil, nil
	}
	key, err := domainKey(domain)
	if err == nil {
		err = s.transaction(ctx, func(tx *db.Tx) error { return s.inDomain(ctx, tx, directory.Key{Domain: key}) })
	}
	return query + " WHERE domain_key = ?", []any{key}, err
}

// complete computes the key of an account, and checks it.
func (s *Store) complete(a *directory.Account) (err error) {
	if a.Key, err = s.key(a.Address); err != nil {
		return err
	}
	return a.Check()
}

func insert(ctx context.Context, tx *db.Tx, a directory.Account) error {
	var uid, gid any
	if a.Owner != nil {
		uid, gid = a.Owner.UID, a.Owner.GID
	}
	since := ""
	if !a.OwnerSince.IsZero() {
		since = a.OwnerSince.UTC().Format(time.RFC3339)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO account
		(domain_key, local_key, address, home, mailbox, quota, messages, uid, gid, disabled, owner_since, eai)
		VALUES (?, ?, ?, nullif(?, ''), nullif(?, ''), nullif(?, 0), nullif(?, 0), ?, ?, nullif(?, ''), nullif(?, ''), ?)`,
		a.Key.Domain, a.Key.Local, a.Address, a.Home, a.Mailbox, a.Quota.Bytes, a.Quota.Messages, uid, gid, a.Disabled, since,
		!a.ASCIIOnly)
	return err
}

// remove deletes an account. ErrMissing where there is none.
func remove(ctx context.Context, tx *db.Tx, key directory.Key) error {
	return deleteRows(ctx, tx, "DELETE FROM account WHERE domain_key = ? AND local_key = ?", key.Domain, key.Local)
}

func deleteRows(ctx context.Context, tx *db.Tx, statement string, args ...any) error {
	done, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrMissing
}

const selectAccounts = `SELECT domain_key, local_key, address, coalesce(home, ''), coalesce(mailbox, ''), coalesce(quota, 0), coalesce(messages, 0),
	uid, gid, coalesce(disabled, ''), coalesce(owner_since, ''), eai FROM account`

func scanAccount(row interface{ Scan(...any) error }) (a directory.Account, err error) {
	var uid, gid *uint32
	var since string
	var eai bool
	err = row.Scan(&a.Key.Domain, &a.Key.Local, &a.Address, &a.Home, &a.Mailbox, &a.Quota.Bytes, &a.Quota.Messages, &uid,
		&gid, &a.Disabled, &since, &eai)
	if err != nil {
		return a, err
	}
	a.ASCIIOnly = !eai
	if uid != nil && gid != nil {
		a.Owner = &directory.Owner{UID: *uid, GID: *gid}
	}
	if since != "" {
		if a.OwnerSince, err = time.Parse(time.RFC3339, since); err != nil {
			return a, directory.Broken(a.Address, "owner_since: %w", err)
		}
	}
	return a, nil
}
