package main

import (
	"context"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
)

// domainCommand looks after domains.
func domainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "domain",
		Short: "Add, delete and list domains of the database",
		Long: "Domain looks after the domains in the SQLite database of the configuration. What a [[domain]]\n" +
			"names need not be there; the rules for the others are those of the [[directory]].",
	}
	var aliasOf string
	add := databaseVerb(&cobra.Command{
		Use:     "add NAME…",
		Short:   "Add domains, and make the database where there is none",
		Example: "  doorstep domain add example.org\n  doorstep domain add --alias-of example.org example.net",
		Args:    cli.AtLeast(1, "NAME"),
	}, sqlite.Create, func(ctx context.Context, s managed, args []string) error {
		for _, name := range args {
			if err := s.AddDomain(ctx, name, aliasOf); err != nil {
				return err
			}
		}
		return nil
	})
	add.Flags().StringVar(&aliasOf, "alias-of", "", "the `domain` that these are other names of")
	var force bool
	del := databaseVerb(&cobra.Command{
		Use:   "del NAME",
		Short: "Delete a domain",
		Long: "Del deletes a domain. One with accounts, aliases or other names, or to which aliases of other domains,\n" +
			"a catch-all or the postmaster lead, stays, unless --force deletes it with all that is in it. Mail stays\n" +
			"where it is.",
		Args: cli.OneArgument("NAME"),
	}, sqlite.Edit, func(ctx context.Context, s managed, args []string) error {
		if err := s.checkUnusedDomain(ctx, args[0], force); err != nil {
			return err
		}
		return s.DeleteDomain(ctx, args[0], force)
	})
	del.Flags().BoolVar(&force, "force", false, "also its accounts, aliases and other names, and if others lead there")
	list := listVerb(&cobra.Command{Use: "list", Short: "List domains", Args: cli.NoArguments}, listDomains,
		func(d listedDomain) string {
			if d.AliasOf != "" {
				return d.Name + "\t→ " + d.AliasOf
			}
			return d.Name + "\t" + countsOf(d.Accounts, d.Aliases)
		})
	cmd.AddCommand(add, del, list)
	return cmd
}

// checkUnusedDomain is checkUnused for a domain with what is in it, or one of its names.
func (m managed) checkUnusedDomain(ctx context.Context, name string, force bool) error {
	what := "domain " + name
	key, err := address.DomainKey(name)
	if err != nil {
		key = name // which is none: the store says so
	}
	domains, err := m.Domains(ctx)
	if err != nil {
		return err
	}
	for _, has := range domains {
		if other, _ := address.DomainKey(has.Name); other == key && has.Accounts+has.Aliases > 0 {
			what += " (" + countsOf(has.Accounts, has.Aliases) + ")"
		}
	}
	leads := func(r mention) bool { return (r.to.Domain == key || r.domain == key) && r.from.Domain != key }
	return m.checkMentions(ctx, what, leads, force, "take it out of there first; --force deletes the domain with all "+
		"that is in it, and mail stays where it is")
}

// countsOf is how many accounts and aliases a domain has.
func countsOf(accounts, aliases int) string {
	return cli.Count(accounts, "account") + ", " + cli.Plural(aliases, "alias", "aliases")
}

// A listedDomain is a domain in the JSON of domain list.
type listedDomain struct {
	Name     string `json:"name"`
	AliasOf  string `json:"alias_of,omitempty"`
	Accounts int    `json:"accounts"`
	Aliases  int    `json:"aliases"`
}

func listDomains(ctx context.Context, s managed, _ []string) (list []listedDomain, err error) {
	found, err := s.Domains(ctx)
	for _, d := range found {
		list = append(list, listedDomain{d.Name, d.AliasOf, d.Accounts, d.Aliases})
	}
	return list, err
}
