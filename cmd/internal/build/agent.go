// Package build makes of a configuration what works by it: directories of accounts, the agent on its store, servers.
package build

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/delivery/warning"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// What a configuration describes, built.

// Domains returns the domains with their rules, and no accounts.
func Domains(c *config.Config) (*route.Resolver, error) {
	domains := route.Domains{}
	r := &route.Resolver{Domains: domains, AliasTargets: c.Limits.AliasTargets, AliasDepth: c.Limits.AliasDepth}
	for _, d := range c.Domains {
		domain := buildDomain(d)
		domain.Key = d.Keys[0]
		if err := domains.Add(domain, d.Keys[1:]...); err != nil {
			return nil, err
		}
	}
	if rules, ok := c.Unlisted(); ok {
		r.Unlisted = buildDomain(rules)
	}
	return r, nil
}

// Resolver makes the domains and accounts findable.
func Resolver(c *config.Config, w *observe.Observers, log *slog.Logger) (*route.Resolver, error) {
	r, err := Domains(c)
	if err != nil {
		return nil, err
	}
	for _, d := range c.Domains { // when all domains are known: a catch-all may be in another
		if d.CatchAll.IsNull() {
			continue
		}
		named, err := r.Named(d.CatchAll)
		if err != nil {
			return nil, fmt.Errorf("catch-all of %s: %w", d.Name, err)
		}
		r.Domains[d.Keys[0]].CatchAll = named
	}
	accounts, err := Accounts(c, r)
	if err != nil {
		return nil, err
	}
	if !c.Postmaster.IsNull() {
		if r.Postmaster, err = r.Named(c.Postmaster); err != nil {
			return nil, fmt.Errorf("postmaster: %w", err)
		}
	}
	if r.Directory, err = Directory(c, accounts, r, w, log); err != nil {
		return nil, err
	}
	return r, nil
}

// buildDomain returns the rules of a domain.
func buildDomain(d config.Domain) *route.Domain {
	return &route.Domain{Name: d.Name, Policy: d.Policy, Subaddress: d.Subaddress, Details: details[d.Details]}
}

// Accounts returns the directory of the accounts and aliases that the configuration itself has. An error names the
// address that has no key.
func Accounts(c *config.Config, domains *route.Resolver) (*static.Directory, error) {
	accounts := static.New()
	for _, u := range c.Users {
		key, err := domains.Key(u.Address)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", u.Address.Log(), err)
		}
		var aliases []directory.Key
		for _, alias := range u.Aliases {
			key, err := domains.Key(alias)
			if err != nil {
				return nil, fmt.Errorf("alias %s: %w", alias.Log(), err)
			}
			aliases = append(aliases, key)
		}
		account := &directory.Account{
			Address: u.Address.Raw, Key: key, Home: u.Home, Disabled: u.Disabled, ASCIIOnly: !u.EAI,
			Quota: directory.Quota{Bytes: u.Quota, Messages: u.QuotaMessages}, OwnerSince: u.OwnerSince,
		}
		if account.Owner, err = ownerOf(c.Store, u); err != nil {
			return nil, fmt.Errorf("user %s: %w", u.Address.Log(), err)
		}
		if err := accounts.Add(account, aliases...); err != nil {
			return nil, err
		}
	}
	for _, a := range c.Aliases {
		key, err := domains.Key(a.Address)
		if err != nil {
			return nil, fmt.Errorf("alias %s: %w", a.Address.Log(), err)
		}
		targets := make([]string, len(a.To))
		for i, to := range a.To {
			targets[i] = to.Raw
		}
		if err := accounts.AddAlias(key, targets...); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

var details = map[config.Details]route.Details{
	config.DetailsInbox:  route.DetailsTag,
	config.DetailsFolder: route.DetailsFolder,
	config.DetailsCreate: route.DetailsCreate,
}

func buildStore(c *config.Config, w *observe.Observers, log *slog.Logger) (*mailbox.Store, error) {
	hooks := w.Store()
	hooks.FileSystem = w.Hangs(log)
	return mailbox.New(mailbox.Options{
		Durability: c.Store.Durability,
		CRLF:       c.Store.CRLF,
		Create:     c.Store.Create,
		PerMailbox: c.Limits.DeliveriesPerMailbox,
		Parallel:   c.Limits.Syncs,
		Together:   c.Limits.Together,
		SingleCopy: c.Store.SingleCopy,
		Hooks:      hooks,
		Folders:    c.Store.Folders,
		Grace:      c.Quota.Grace,
		CountTrash: c.Quota.CountTrash,
	})
}

// Agent is all of a delivery, from the recipient to the disk. w observes it.
func Agent(c *config.Config, w *observe.Observers, log *slog.Logger) (*delivery.Agent, error) {
	store, err := buildStore(c, w, log)
	if err != nil {
		return nil, err
	}
	return AgentOn(store, c, w, log)
}

// AgentOn is buildAgent on a store that is there already.
func AgentOn(store *mailbox.Store, c *config.Config, w *observe.Observers, log *slog.Logger) (*delivery.Agent, error) {
	rules, err := buildRules(c)
	if err != nil {
		return nil, err
	}
	resolver, err := Resolver(c, w, log)
	if err != nil {
		return nil, err
	}
	return &delivery.Agent{
		Router: &route.Router{
			Resolver: resolver, Layout: route.Layout(c.Store.Path), Owners: buildOwners(c.Store), Store: store,
			Folders: c.Store.Folders, FolderLimit: c.Limits.Folders, FolderLevels: c.Limits.FolderLevels,
			Rules: rules, RejectFull: c.Quota.Reject,
		},
		Store:      store,
		SingleCopy: c.Store.SingleCopy, OriginalTo: c.Store.OriginalTo, RRVS: knowsOwners(c),
		Quotas: buildQuotas(c.Quota, log), Hooks: w.Deliveries(), Log: log,
	}, nil
}

var ruleTests = map[config.RuleTest]route.RuleTest{
	config.RuleExists:   route.RuleExists,
	config.RuleEquals:   route.RuleEquals,
	config.RuleContains: route.RuleContains,
}

var ruleWhich = map[config.RuleWhich]route.RuleWhich{
	config.RuleAny:   route.RuleAny,
	config.RuleFirst: route.RuleFirst,
	config.RuleLast:  route.RuleLast,
}

func buildRules(c *config.Config) ([]route.Rule, error) {
	var rules []route.Rule
	for _, r := range c.Rules {
		folder, err := c.Store.Folders.Dir(r.Folder)
		if err != nil {
			return nil, fmt.Errorf("rule for %s: %w", r.Header, err)
		}
		rules = append(rules, route.Rule{
			Domains: r.Domains, Field: r.Header, Which: ruleWhich[r.Which], Test: ruleTests[r.Test], Value: r.Value,
			Folder: folder, Make: r.Create,
		})
	}
	return rules, nil
}

func buildQuotas(c config.Quota, log *slog.Logger) delivery.Quotas {
	q := delivery.Quotas{WarnAt: c.WarnAt}
	if len(c.WarnCommand) > 0 || c.WarnURL != "" {
		q.Warner = warning.New(c.WarnCommand, c.WarnURL, c.WarnTimeout, log)
	}
	return q
}

// CloseAgent closes what an agent holds but its store, and waits for the warnings that are
// on their way, until ctx ends.
func CloseAgent(ctx context.Context, a *delivery.Agent) (err error) {
	if w, ok := a.Quotas.Warner.(*warning.Sender); ok {
		w.Close(ctx)
	}
	if err := CloseDirectory(a.Router.Resolver.Directory); err != nil {
		return fmt.Errorf("close the directories: %w", err)
	}
	return nil
}

// knowsOwners reports whether there is an account of which it is known since when it has its
// owner, or may be: a database has a column for it. Without any there is nothing to offer RRVS for.
func knowsOwners(c *config.Config) bool {
	return slices.ContainsFunc(c.Directories, config.Directory.KnowsOwners) ||
		slices.ContainsFunc(c.Users, func(u config.User) bool { return !u.OwnerSince.IsZero() })
}
