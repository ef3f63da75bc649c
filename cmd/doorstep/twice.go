package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
	"github.com/doorstep-mail/doorstep/delivery/route"
)

// A managed store is one of the directories of a configuration.
type managed struct {
	*sqlite.Store
	name    string
	config  *config.Config
	domains *route.Resolver
}

// claim asks the other directories for an address that is to be put in. Where one has it, that is an
// error if the server would defer its mail from then on, and else a warning. So is that one cannot be
// asked.
func (m managed) claim(ctx context.Context, address string, warnings io.Writer) (err error) {
	key, err := m.Key(address)
	if err != nil {
		return err
	}
	accounts, err := buildAccounts(m.config, m.domains)
	if err != nil {
		return err
	}
	d, err := buildDirectory(m.config, accounts, m.domains, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	d.Assume(m.name, key)
	_, err = d.Lookup(ctx, key)
	if overlap := (*directory.Overlap)(nil); errors.As(err, &overlap) {
		where := strings.Join(overlap.Backends, " and ")
		return failed(fmt.Errorf("%s would be in %s, and its mail deferred", address, where), overlapHint)
	} else if err != nil {
		fmt.Fprintf(warnings, "doorstep: warning: cannot tell whether another directory has %s: %v\n", address, err)
	} else if names := d.Claims(ctx, key); len(names) > 1 {
		fmt.Fprintf(warnings, "doorstep: warning: %s is in %s, the first counts\n", address, strings.Join(names, " and "))
	}
	return nil
}
