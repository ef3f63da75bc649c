package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// What user, domain and alias have in common: they look after the SQLite database of the configuration.

// databaseVerb makes cmd a verb that opens the database, by sqlite.Create or sqlite.Edit, and calls do.
func databaseVerb(cmd *cobra.Command, open storeOpener,
	do func(ctx context.Context, s managed, args []string) error) *cobra.Command {
	file := cli.ConfigFlag(cmd)
	name := cmd.Flags().String("directory", "", "the `name` of the [[directory]], where there are several in SQLite")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		c, err := cli.LoadConfig(*file, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		d, err := pickDirectory(cmd, c.Directories, *name)
		if err != nil {
			return err
		}
		domains, err := build.Domains(c)
		if err != nil {
			return cli.Failed(err, "doorstep check tells what is wrong with the configuration")
		}
		known := func(key string) bool { _, ok := domains.Domains[key]; return ok }
		var changed []directory.Key
		s, err := open(cmd.Context(), sqlite.StoreOptions{Path: d.File, Key: build.Keyer(domains), Known: known,
			Changed: func(key directory.Key) { changed = append(changed, key) }})
		if err != nil {
			return cli.Failed(err, whyNotOpen(err, d.File))
		}
		defer func() {
			err = errors.Join(err, s.Close())
			announce(cmd, c.Control.Socket, d, changed)
		}()
		return explained(cmd, do(cmd.Context(), managed{s, d.Name, c, domains, cmd.ErrOrStderr()}, args))
	}
	return cmd
}

// listVerb makes cmd a verb that lists what read finds in the database, as JSON or as a row each.
func listVerb[T any](cmd *cobra.Command, read func(ctx context.Context, s managed, args []string) ([]T, error),
	row func(T) string) *cobra.Command {
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	return databaseVerb(cmd, sqlite.Edit, func(ctx context.Context, s managed, args []string) error {
		list, err := read(ctx, s, args)
		if err != nil {
			return err
		}
		if *asJSON {
			return cli.PrintJSON(cmd.OutOrStdout(), list)
		}
		table := columns.New(cmd.OutOrStdout())
		for _, item := range list {
			fmt.Fprintln(table, row(item))
		}
		return table.Flush()
	})
}

// A storeOpener is sqlite.Create or sqlite.Edit.
type storeOpener func(context.Context, sqlite.StoreOptions) (*sqlite.Store, error)

// announce lets a running server forget what it remembers of what was changed. Where none runs there is nothing to say.
func announce(cmd *cobra.Command, socket string, d config.Directory, changed []directory.Key) {
	if socket == "" {
		return
	}
	for _, key := range changed {
		about := "@" + key.Domain
		if key.Local != "" {
			about = address.Address{Local: key.Local, Domain: key.Domain}.String()
		}
		var r daemon.ForgetReport
		err := cli.Order(socket, "forget "+about, &r)
		if err == nil && r.Error != "" {
			err = errors.New(r.Error)
		}
		if isAbsent(err) {
			return
		}
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "doorstep: warning: the running server may see the change of %s only after %s: %v\n"+
				"hint: doorstep reload does the same, as root or as the user who runs the server\n", key,
				max(d.CacheTTL, d.NegativeTTL), err)
			return
		}
	}
}

// whyNotOpen is what can be done about a database that cannot be opened.
func whyNotOpen(err error, file string) string {
	dir := filepath.Dir(file)
	_, noDir := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && noDir != nil:
		return "make the directory " + dir + " first; it belongs to the user who runs the server"
	case errors.Is(err, fs.ErrNotExist):
		return "doorstep domain add NAME makes the database, with its first domain"
	case errors.Is(err, fs.ErrPermission), unix.Access(dir, unix.W_OK) != nil: // SQLite has files beside the file
		return "do it as root, or as the user whose " + dir + " is"
	}
	return ""
}

// pickDirectory finds the directory to look after: the one of this name, or the only one.
func pickDirectory(cmd *cobra.Command, all []config.Directory, name string) (config.Directory, error) {
	var ours []config.Directory
	var names, foreign []string
	for _, d := range all {
		switch {
		case !build.IsOurs(d) && d.Driver == config.SQLite:
			foreign = append(foreign, d.Name)
		case build.IsOurs(d):
			names = append(names, d.Name)
			if name == "" || name == d.Name {
				ours = append(ours, d)
			}
		}
	}
	switch {
	case len(ours) == 1:
		return ours[0], nil
	case len(names) == 0 && len(foreign) > 0:
		return config.Directory{}, cli.Mistake(cmd,
			fmt.Errorf("the tables of directory %s are not Doorstep's", strings.Join(foreign, " and ")),
			"change them by the program that made them; here only tables are managed that have neither a schema nor queries "+
				"of others")
	case len(names) == 0:
		return config.Directory{}, cli.Mistake(cmd,
			errors.New(`the configuration has no [[directory]] with driver = "sqlite"`),
			`write a table [[directory]] with driver = "sqlite" and file = "/var/lib/doorstep/accounts.db"; what stands in `+
				"[[domain]], [[user]] and [[alias]] is changed there")
	case len(ours) == 0:
		return config.Directory{}, cli.Mistake(cmd, fmt.Errorf("no directory %q in SQLite", name),
			"there is "+strings.Join(names, ", "))
	}
	return config.Directory{}, cli.Mistake(cmd, errors.New("there are several directories in SQLite"),
		"say which by --directory: "+strings.Join(names, ", "))
}

// explained adds to what a store refuses what can be done about it.
func explained(cmd *cobra.Command, err error) error {
	for _, known := range []struct {
		err  error
		hint string
	}{
		{sqlite.ErrNoDomain, "doorstep domain list shows those that are there, doorstep domain add adds one"},
		{sqlite.ErrAlias, "use the domain that it is another name of"},
		{sqlite.ErrTaken, cmd.Parent().CommandPath() + " list shows all"},
		{sqlite.ErrMissing, cmd.Parent().CommandPath() + " list shows all"},
		{sqlite.ErrInUse, "--force deletes all of these; mail stays where it is"},
		{sqlite.ErrAddress, "write it as local@domain, without angle brackets"},
		{sqlite.ErrDomainName, "write it as example.org"},
		{directory.ErrBroken, cmd.CommandPath() + " --help tells what each flag takes"},
	} {
		if errors.Is(err, known.err) && cli.HintOf(err) == "" {
			return cli.Failed(err, known.hint)
		}
	}
	return err
}

// warnOfTargets tells which targets of an alias take no mail, such as those that are elsewhere.
func (m managed) warnOfTargets(ctx context.Context, alias string, targets []string) (err error) {
	r, err := build.Resolver(m.config, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, build.CloseDirectory(r.Directory)) }()
	warned := false
	for _, target := range targets {
		to, err := address.Parse(target)
		if err != nil {
			return err
		}
		_, err = r.Resolve(ctx, to)
		if refused := (*lmtp.Error)(nil); errors.As(err, &refused) && refused.Code >= 500 {
			fmt.Fprintf(m.warnings, "doorstep: warning: target %s: %s\n", target, refused.Text)
			warned = true
		}
	}
	if warned {
		fmt.Fprintf(m.warnings, "hint: doorstep lookup %s tells what becomes of its mail\n", alias)
	}
	return nil
}

// A managed store is one of the directories of a configuration.
type managed struct {
	*sqlite.Store
	name     string
	config   *config.Config
	domains  *route.Resolver
	warnings io.Writer
}

// claim asks the other directories for an address that is to be put in. Where one has it, that is an
// error if the server would defer its mail from then on, and else a warning. So is that one cannot be
// asked.
func (m managed) claim(ctx context.Context, address string) (err error) {
	key, err := m.Key(address)
	if err != nil {
		return err
	}
	accounts, err := build.Accounts(m.config, m.domains)
	if err != nil {
		return err
	}
	d, err := build.Directory(m.config, accounts, m.domains, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	d.Assume(m.name, key)
	_, err = d.Lookup(ctx, key)
	if overlap := (*directory.Overlap)(nil); errors.As(err, &overlap) {
		where := strings.Join(overlap.Backends, " and ")
		return cli.Failed(fmt.Errorf("%s would be in %s, and its mail deferred", address, where), build.OverlapHint)
	} else if err != nil {
		fmt.Fprintf(m.warnings, "doorstep: warning: cannot tell whether another directory has %s: %v\n", address, err)
	} else if names := d.Claims(ctx, key); len(names) > 1 {
		fmt.Fprintf(m.warnings, "doorstep: warning: %s is in %s, the first counts\n", address, strings.Join(names, " and "))
	}
	return nil
}
