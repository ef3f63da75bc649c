package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A mention is an address that takes mail for another: the target of an alias or catch-all, or the postmaster.
type mention struct {
	who    string // "alias team@example.org"
	from   directory.Key
	target address.Address
	to     directory.Key // with the first name of its domain, and without a detail unless that is an address itself
	domain string        // of the target as it is written
}

// mentions returns every mention in the configuration and the database. Targets whose domain only another directory
// knows are left out.
func (m managed) mentions(ctx context.Context) ([]mention, error) {
	list := m.configuredMentions()
	for a, err := range m.Aliases(ctx, "") {
		if err != nil {
			return nil, err
		}
		key, err := m.Key(a.Address)
		if err != nil {
			continue // of a domain that is in the configuration no longer
		}
		for _, text := range a.Targets {
			if target, err := address.Parse(text); err == nil {
				list = append(list, mention{who: "alias " + address.Shown(a.Address), from: key, target: target})
			}
		}
	}
	domains, err := m.Domains(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, d := range domains {
		key, _ := address.DomainKey(d.Name)
		names[key], _ = address.DomainKey(d.AliasOf)
	}
	own := map[directory.Key]bool{}
	for _, r := range list {
		own[r.from] = true
	}
	found := list[:0]
	for _, r := range list {
		named, err := m.domains.Named(r.target)
		if err != nil {
			continue
		}
		r.domain, _ = address.DomainKey(r.target.Domain)
		r.to = named.Key
		r.to.Domain = cmp.Or(names[r.to.Domain], r.to.Domain)
		if !own[r.to] && named.WithoutDetail.Local != "" {
			r.to.Local = named.WithoutDetail.Local
		}
		found = append(found, r)
	}
	return found, nil
}

// configuredMentions are those in the configuration, without the keys of what they lead to.
func (m managed) configuredMentions() (list []mention) {
	c := m.config
	if !c.Postmaster.IsNull() {
		list = append(list, mention{who: "the postmaster", target: c.Postmaster})
	}
	for _, d := range c.Domains {
		if !d.CatchAll.IsNull() {
			from := directory.Key{Domain: d.Keys[0]}
			list = append(list, mention{who: "catch_all of " + d.Name, from: from, target: d.CatchAll})
		}
	}
	for _, a := range c.Aliases {
		key, err := m.domains.Key(a.Address)
		if err != nil {
			continue
		}
		for _, target := range a.To {
			list = append(list, mention{who: "[[alias]] " + address.Shown(a.Address.Raw), from: key, target: target})
		}
	}
	return list
}

// checkUnused refuses to delete an account or an alias that others lead to: see checkMentions.
func (m managed) checkUnused(ctx context.Context, kind, text string, force bool) error {
	key, err := m.Key(text)
	if err != nil {
		return err
	}
	there, err := m.Has(ctx, key)
	if err != nil {
		return err
	}
	leads := func(r mention) bool { return there && r.to == key && r.from != key }
	return m.checkMentions(ctx, kind+" "+text, leads, force,
		"take it out of there first, or delete it all the same by --force")
}

// checkMentions refuses to delete what others lead to: their mail would be refused, or wait. With force there is only
// a warning. leads reports whether a mention leads to what is deleted, and stays.
func (m managed) checkMentions(ctx context.Context, what string, leads func(mention) bool, force bool,
	hint string) error {
	mentions, err := m.mentions(ctx)
	if err != nil {
		return err
	}
	var who []string
	for _, r := range mentions {
		if leads(r) && !slices.Contains(who, r.who) {
			who = append(who, r.who)
		}
	}
	switch {
	case len(who) == 0:
		return nil
	case !force:
		return cli.Failed(fmt.Errorf("%s %w by %s", what, sqlite.ErrInUse, atMost(who)), hint)
	}
	fmt.Fprintf(m.warnings, "doorstep: warning: %s is deleted, and still there is what leads to it: %s\n",
		what, atMost(who))
	return nil
}

// manyNames is how many names an error has.
const manyNames = 10

// atMost lists names, and only counts those beyond manyNames.
func atMost(names []string) string {
	more := ""
	if len(names) > manyNames {
		more = fmt.Sprintf(" and %d more", len(names)-manyNames)
		names = names[:manyNames]
	}
	return strings.Join(names, ", ") + more
}

// An addition is a directory with more targets for an alias.
type addition struct {
	directory.DomainDirectory
	key     directory.Key
	targets []string
}

func (a addition) Lookup(ctx context.Context, key directory.Key) (directory.Entry, error) {
	entry, err := a.DomainDirectory.Lookup(ctx, key)
	if key != a.key || entry.Account != nil || err != nil && !errors.Is(err, directory.ErrNotFound) {
		return entry, err
	}
	return directory.Entry{Targets: slices.Concat(entry.Targets, a.targets)}, nil
}

// checkAddition refuses targets because of which an alias, or one that leads to it, would lead in a circle or exceed
// the limits.
func (m managed) checkAddition(ctx context.Context, alias string, targets []string) (err error) {
	key, err := m.Key(alias)
	if err != nil {
		return err
	}
	mentions, err := m.mentions(ctx)
	if err != nil {
		return err
	}
	affected := []directory.Key{key}
	for i := 0; i < len(affected); i++ {
		for _, other := range mentions {
			if other.to == affected[i] && other.from.Local != "" && !slices.Contains(affected, other.from) {
				affected = append(affected, other.from)
			}
		}
	}
	r, err := build.Resolver(m.config, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	all := r.Directory
	defer func() { err = errors.Join(err, build.CloseDirectory(all)) }()
	if known, ok := all.(directory.DomainDirectory); ok {
		r.Directory = addition{known, key, targets}
	}
	for _, key := range affected {
		if err := r.CheckAlias(ctx, key); err != nil {
			return cli.Failed(err, "nothing is changed: the mail of such an alias would be deferred")
		}
	}
	return nil
}
