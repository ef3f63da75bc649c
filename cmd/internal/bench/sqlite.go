package main

import (
	"context"
	db "database/sql"
	"errors"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
)

// fillSQLite makes a database of all accounts and aliases, as "doorstep user" and "doorstep alias"
// do, but at once.
func fillSQLite(path string) (err error) {
	ctx := context.Background()
	keyer := func(string) (directory.Key, error) {
		return directory.Key{}, errors.New("no address is looked up here")
	}
	empty, err := sqlite.Create(ctx, sqlite.StoreOptions{Path: path, Key: keyer})
	if err == nil {
		err = empty.Close()
	}
	if err != nil {
		return err
	}
	raw, err := db.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	tx, err := raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, box := range allBoxes() {
		if _, err := tx.ExecContext(ctx, "INSERT INTO account (domain_key, local_key, address) VALUES (?, ?, ?)",
			domain, box.name, box.name+"@"+domain); err != nil {
			return err
		}
		for _, alias := range box.aliases {
			if _, err := tx.ExecContext(ctx, "INSERT INTO alias (domain_key, local_key, address, target) VALUES (?, ?, ?, ?)",
				domain, alias, alias+"@"+domain, box.name+"@"+domain); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}
