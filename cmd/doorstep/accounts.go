package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
)

// What user, domain and alias have in common: they look after the SQLite database of the
// configuration.

// A management is the flags that say which database.
type management struct{ config, directory *string }

// managementFlags adds them to a verb.
func managementFlags(cmd *cobra.Command) management {
	return management{configFlag(cmd), cmd.Flags().String("directory", "", "the `name` of the [[directory]], where there are several in SQLite")}
}

// listVerb makes cmd a verb that lists what read finds in the database, as JSON or as a row each.
func listVerb[T any](cmd *cobra.Command, read func(ctx context.Context, s managed, args []string) ([]T, error), row func(T) string) *cobra.Command {
	m, asJSON := managementFlags(cmd), cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return m.do(cmd, sqlite.Edit, func(s managed) error {
			list, err := read(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			if *asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			table := columns.New(cmd.OutOrStdout())
			for _, item := range list {
				fmt.Fprintln(table, row(item))
			}
			return table.Flush()
		})
	}
	return cmd
}

// A storeOpener is sqlite.Create or sqlite.Edit.
type storeOpener func(context.Context, sqlite.StoreOptions) (*sqlite.Store, error)

// do opens the database, and closes it behind f.
func (m management) do(cmd *cobra.Command, open storeOpener, f func(s managed) error) (err error) {
	c, err := loadConfig(*m.config, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	d, err := m.pick(cmd, c.Directories)
	if err != nil {
		return err
	}
	domains, err := buildDomains(c)
	if err != nil {
		return failed(err, "doorstep check tells what is wrong with the configuration")
	}
	known := func(key string) bool { _, ok := domains.Domains[key]; return ok }
	s, err := open(cmd.Context(), sqlite.StoreOptions{Path: d.File, Key: keyer(domains), Known: known})
	if err != nil {
		return failed(err, whyNotOpen(err, d.File))
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return explained(cmd, f(managed{Store: s, name: d.Name, config: c, domains: domains}))
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

// pick finds the directory to look after.
func (m management) pick(cmd *cobra.Command, all []config.Directory) (config.Directory, error) {
	var ours []config.Directory
	var names, foreign []string
	for _, d := range all {
		switch {
		case !isOurs(d) && d.Driver == config.SQLite:
			foreign = append(foreign, d.Name)
		case isOurs(d):
			names = append(names, d.Name)
			if *m.directory == "" || *m.directory == d.Name {
				ours = append(ours, d)
			}
		}
	}
	switch {
	case len(ours) == 1:
		return ours[0], nil
	case len(names) == 0 && len(foreign) > 0:
		return config.Directory{}, mistake(cmd, fmt.Errorf("the tables of directory %s are not Doorstep's", strings.Join(foreign, " and ")),
			"change them by the program that made them; here only tables are managed that have neither a schema nor queries of others")
	case len(names) == 0:
		return config.Directory{}, mistake(cmd, errors.New(`the configuration has no [[directory]] with driver = "sqlite"`),
			`write a table [[directory]] with driver = "sqlite" and file = "/var/lib/doorstep/accounts.db"; what stands in [[domain]], [[user]] and [[alias]] is changed there`)
	case len(ours) == 0:
		return config.Directory{}, mistake(cmd, fmt.Errorf("no directory %q in SQLite", *m.directory), "there is "+strings.Join(names, ", "))
	}
	return config.Directory{}, mistake(cmd, errors.New("there are several directories in SQLite"), "say which by --directory: "+strings.Join(names, ", "))
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
		if errors.Is(err, known.err) {
			return failed(err, known.hint)
		}
	}
	return err
}

// printJSON prints what a list found; programs read it.
func printJSON[T any](w io.Writer, list []T) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(append([]T{}, list...)) // [], not null
}

// atLeast is for verbs that take several arguments, called what.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return mistake(cmd, fmt.Errorf("%s is missing", what), "")
		}
		return nil
	}
}
