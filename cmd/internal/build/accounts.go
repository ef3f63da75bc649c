package build

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
)

// EachAccount calls one with each account of a directory that is in a domain of ours, and with what is wrong with those
// that make no sense. They are read first, into a temporary file: to look at a mailbox takes longer than a database
// waits for the reader of its rows, and there may be more than memory should hold.
func EachAccount(ctx context.Context, d config.Directory, r *route.Resolver,
	one func(*directory.Account, error)) (err error) {
	spool, err := os.CreateTemp("", "doorstep-accounts-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.Close()) }()
	if err := os.Remove(spool.Name()); err != nil {
		return err
	}
	broken, err := spoolAccounts(ctx, spool, d, r)
	for _, err := range broken {
		one(nil, err)
	}
	if err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for accounts := gob.NewDecoder(bufio.NewReader(spool)); ; {
		a := new(directory.Account)
		err := accounts.Decode(a)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the accounts anew: %w", err)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		one(a, nil)
	}
}

// maxBroken bounds the accounts that make no sense and are named.
const maxBroken = 1000

// spoolAccounts writes the accounts of a directory, and returns those errors that are of one account. Accounts of
// domains that mail is not taken for are left out.
func spoolAccounts(ctx context.Context, to io.Writer, d config.Directory,
	r *route.Resolver) (broken []error, err error) {
	opened, err := OpenDirectory(d, r, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, CloseDirectory(opened)) }()
	lister, ok := opened.(directory.Lister)
	if !ok {
		return nil, directory.ErrNotListed
	}
	buffer := bufio.NewWriter(to)
	accounts := gob.NewEncoder(buffer)
	for a, err := range lister.Accounts(ctx) {
		switch {
		case errors.Is(err, route.ErrNoDomain):
		case errors.Is(err, directory.ErrBroken):
			if broken = append(broken, err); len(broken) == maxBroken {
				return broken, fmt.Errorf("more than %d accounts make no sense", maxBroken)
			}
		case err != nil:
			return broken, err
		default:
			if err := accounts.Encode(a); err != nil {
				return broken, err
			}
		}
	}
	return broken, buffer.Flush()
}
