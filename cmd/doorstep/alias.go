package main

import (
	"context"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
)

// aliasCommand looks after aliases.
func aliasCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alias",
		Short: "Add, delete and list aliases of the database",
		Long: "Alias looks after the aliases in the SQLite database of the configuration. An alias stands for\n" +
			"accounts or for other aliases; @DOMAIN is the catch-all of a domain. Doorstep forwards no mail:\n" +
			"targets elsewhere belong into the aliases of your MTA.",
	}
	add := databaseVerb(&cobra.Command{
		Use:   "add ADDRESS TARGET…",
		Short: "Make an address stand for others, besides those that it stands for already",
		Example: "  doorstep alias add sales@example.org alice@example.org bob@example.org\n  doorstep alias add " +
			"@example.org alice@example.org",
		Args: cli.AtLeast(2, "ADDRESS or TARGET"),
	}, sqlite.Edit, func(ctx context.Context, s managed, args []string) error {
		args = unescaped(args)
		if err := s.claim(ctx, args[0]); err != nil {
			return err
		}
		if err := s.checkAddition(ctx, args[0], args[1:]); err != nil {
			return err
		}
		if err := s.AddAlias(ctx, args[0], args[1:]...); err != nil {
			return err
		}
		return s.warnOfTargets(ctx, args[0], args[1:])
	})
	var force bool
	del := databaseVerb(&cobra.Command{
		Use:   "del ADDRESS [TARGET…]",
		Short: "Delete an alias, or some of its targets",
		Long: "Del deletes an alias, or some of its targets. One that another alias, a catch-all or the postmaster leads\n" +
			"to stays, unless --force deletes it all the same.",
		Args: cli.AtLeast(1, "ADDRESS"),
	}, sqlite.Edit, func(ctx context.Context, s managed, args []string) error {
		args = unescaped(args)
		if len(args) == 1 {
			if err := s.checkUnused(ctx, "alias", args[0], force); err != nil {
				return err
			}
		}
		return s.DeleteAlias(ctx, args[0], args[1:]...)
	})
	del.Flags().BoolVar(&force, "force", false, "also an alias that others lead to")
	list := listVerb(&cobra.Command{
		Use:   "list [DOMAIN]",
		Short: "List aliases, of all domains or one",
		Args:  cli.AtMostOneArgument,
	}, listAliases, func(a listedAlias) string { return a.Address + "\t→ " + strings.Join(a.Targets, ", ") })
	cmd.AddCommand(add, del, list)
	return cmd
}

// A listedAlias is an alias in the JSON of alias list.
type listedAlias struct {
	Address string   `json:"address"`
	Targets []string `json:"targets"`
}

func listAliases(ctx context.Context, s managed, args []string) (list []listedAlias, err error) {
	for a, err := range s.Aliases(ctx, cli.First(args)) {
		if err != nil {
			return nil, err
		}
		listed := listedAlias{Address: address.Shown(a.Address)}
		for _, target := range a.Targets {
			listed.Targets = append(listed.Targets, address.Shown(target))
		}
		list = append(list, listed)
	}
	return list, nil
}

// unescaped are addresses as they were typed, or pasted from where they were printed.
func unescaped(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = address.Unescape(arg)
	}
	return out
}
