package sqlite

import (
	"context"
	db "database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// What a Store refuses. The errors say which address or domain.
var (
	// ErrTaken says that the address or domain is there already.
	ErrTaken = errors.New("is there already")
	// ErrMissing says that there is no such account, alias or domain.
	ErrMissing = errors.New("is not there")
	// ErrNoDomain says that an address is in no domain of the database.
	ErrNoDomain = errors.New("is not a domain of the database")
	// ErrAlias says that an address is in a domain that is only another's name.
	ErrAlias = errors.New("is another name of")
	// ErrAddress says that a text is no address, ErrDomainName that it is no domain's name.
	ErrAddress    = errors.New("is not an address")
	ErrDomainName = errors.New("is not the name of a domain")
	// ErrInUse says that there are accounts or aliases in a domain, or names of it.
	ErrInUse = errors.New("is in use")
)

// A Store changes a database. Each change is whole and on disk when it returns.
type Store struct {
	db      *db.DB
	options StoreOptions
}

// StoreOptions say how a database is changed.
type StoreOptions struct {
	// Path is the file. Its directory must be there.
	Path string
	// Key returns the key of an address in the database.
	Key directory.Keyer
	// Known reports whether the configuration names a domain, by its key, so that the database
	// need not. It may be nil.
	Known func(domainKey string) bool
	// Changed gets the key of each address that was changed, and for a domain one without a local part. It may be nil.
	Changed func(directory.Key)
}

// Create opens a database for changes, and makes the file where it is missing.
func Create(ctx context.Context, o StoreOptions) (*Store, error) {
	if err := create(o.Path); err != nil {
		return nil, err
	}
	return Edit(ctx, o)
}

// Edit opens a database for changes. It must be there, and gets the tables of this version.
func Edit(ctx context.Context, o StoreOptions) (*Store, error) {
	// SQLite would not say what is wrong with a file that cannot be written.
	if f, err := os.OpenFile(o.Path, os.O_RDWR, 0); err != nil {
		return nil, err
	} else if err := f.Close(); err != nil {
		return nil, err
	}
	if found, err := find(o.Path, ""); err != nil {
		return nil, err
	} else if err := found.fits(nil); err != nil {
		return nil, err
	}
	// WAL lets a server read meanwhile; synchronous(FULL) makes each change durable.
	database, err := open(o.Path, "rw", "journal_mode(WAL)", "synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, database, o.Path); err != nil {
		return nil, errors.Join(err, database.Close())
	}
	return &Store{db: database, options: o}, nil
}

// Read opens a database of this version that nothing is to be changed in.
func Read(ctx context.Context, o StoreOptions) (*Store, error) {
	database, err := open(o.Path, "rw", "query_only(1)")
	if err != nil {
		return nil, err
	}
	if _, err := version(ctx, database, o.Path); err != nil {
		return nil, errors.Join(err, database.Close())
	}
	return &Store{db: database, options: o}, nil
}

// key is the key of an address.
func (s *Store) key(text string) (directory.Key, error) {
	key, err := s.options.Key(text)
	if err != nil {
		return key, notOne(text, ErrAddress, err)
	}
	return key, nil
}

// notOne is the error for a text that is not what it should be.
func notOne(text string, what, why error) error {
	return fmt.Errorf("%q %w: %s", text, what, strings.TrimPrefix(why.Error(), address.ErrSyntax.Error()+": "))
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// change changes what there is of an address, or of a domain, in a transaction.
func (s *Store) change(ctx context.Context, key directory.Key, f func(tx *db.Tx) error) error {
	err := s.transaction(ctx, f)
	if err == nil && s.options.Changed != nil {
		s.options.Changed(key)
	}
	return err
}

// transaction runs f in a transaction.
func (s *Store) transaction(ctx context.Context, f func(tx *db.Tx) error) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rollback(tx)) }()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// isThere reports whether a query has a row.
func isThere(ctx context.Context, tx *db.Tx, query string, args ...any) (bool, error) {
	var one int
	err := tx.QueryRowContext(ctx, query, args...).Scan(&one)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Has reports whether an account or an alias has the address of a key.
func (s *Store) Has(ctx context.Context, key directory.Key) (there bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM account WHERE domain_key = ?1 AND local_key = ?2)
		OR EXISTS (SELECT 1 FROM alias WHERE domain_key = ?1 AND local_key = ?2)`, key.Domain, key.Local).Scan(&there)
	return there, err
}

// free returns an error where an account or an alias has the address of a key.
func free(ctx context.Context, tx *db.Tx, address string, key directory.Key) error {
	for _, table := range []string{"account", "alias"} {
		var other string
		err := tx.QueryRowContext(ctx, "SELECT address FROM "+table+" WHERE domain_key = ? AND local_key = ?", key.Domain,
			key.Local).Scan(&other)
		switch {
		case err == nil && other == address:
			return fmt.Errorf("%s %w, as an %s", address, ErrTaken, table)
		case err == nil:
			return fmt.Errorf("%s %w: the %s %s is the same address", address, ErrTaken, table, other)
		case !errors.Is(err, db.ErrNoRows):
			return err
		}
	}
	return nil
}

// inDomain wants the domain of a key to be one that mail is taken for.
func (s *Store) inDomain(ctx context.Context, tx *db.Tx, key directory.Key) error {
	if s.options.Known != nil && s.options.Known(key.Domain) {
		return nil
	}
	var name string
	var of db.NullString
	err := tx.QueryRowContext(ctx, "SELECT name, alias_of FROM domain WHERE domain_key = ?", key.Domain).Scan(&name, &of)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return fmt.Errorf("%s %w", address.DomainUnicode(key.Domain), ErrNoDomain)
	case err == nil && of.Valid:
		return fmt.Errorf("%s %w %s", name, ErrAlias, address.DomainUnicode(of.String))
	}
	return err
}
