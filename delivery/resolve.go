package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Resolver finds the account that a forward-path leads to. Its steps are always the same,
// and in this order:
//
//  1. the domain, by any of its names (unknown: 550 5.1.2)
//  2. an account or alias whose local part has the same key
//  3. the same without the subaddress
//  4. postmaster: the configured one, because it must always be reachable (RFC 5321 §4.5.1)
//  5. the domain's catch-all
//
// and otherwise 550 5.1.1. An account that exists is never shadowed by a catch-all.
type Resolver struct {
	Domains   Domains
	Directory directory.Directory
	// Postmaster takes <Postmaster>, and postmaster in domains that have no such account;
	// the zero Key for none.
	Postmaster directory.Key
}

// A Step is one thing that Resolve did, for people who ask why.
type Step struct {
	Rule   string // "domain", "account", "subaddress", "postmaster", "catch-all"
	Input  string // what was looked for
	Result string // what came of it
}

// A Resolution is what an address leads to.
type Resolution struct {
	Account *directory.Account
	Domain  *Domain // of the address; nil for <Postmaster>
	Detail  string  // the subaddress, "" for none
}

// Resolve finds the account for a forward-path. The error is an *lmtp.Error with the reply
// that RCPT gets.
func (r *Resolver) Resolve(ctx context.Context, to address.Address) (Resolution, error) {
	return r.Explain(ctx, to, func(Step) {})
}

// Explain is Resolve, and tells note of each step.
func (r *Resolver) Explain(ctx context.Context, to address.Address, note func(Step)) (Resolution, error) {
	if to.Domain == "" { // <Postmaster>: no other path lacks a domain (RFC 5321 §4.1.1.3)
		return r.first(ctx, note, Resolution{}, candidate{rule: "postmaster", key: r.Postmaster})
	}
	domain, err := r.domain(to, note)
	if err != nil {
		return Resolution{}, err
	}
	found := Resolution{Domain: domain}
	candidates := []candidate{{rule: "account", local: to.Local}}
	if user, detail, ok := address.SplitDetail(to.Local, domain.Subaddress); ok {
		candidates = append(candidates, candidate{rule: "subaddress", local: user, detail: detail})
	}
	if isPostmaster(to.Local) {
		candidates = append(candidates, candidate{rule: "postmaster", key: r.Postmaster})
	}
	candidates = append(candidates, candidate{rule: "catch-all", key: domain.CatchAll})
	return r.first(ctx, note, found, candidates...)
}

// domain is step 1.
func (r *Resolver) domain(to address.Address, note func(Step)) (*Domain, error) {
	key, err := address.DomainKey(to.Domain)
	if err == nil {
		if d, ok := r.Domains[key]; ok {
			note(Step{"domain", key, d.Name})
			return d, nil
		}
	}
	note(Step{"domain", to.Domain, "not one of ours"})
	return nil, &lmtp.Error{Code: 550, Enhanced: "5.1.2", Text: "no such domain here", Rule: "domain", Cause: err}
}

// A candidate is an account that may be the one: by the local part of the address, or, where
// that is empty, by a configured key.
type candidate struct {
	rule   string
	local  string
	detail string
	key    directory.Key
}

// first takes the first candidate that exists. A directory that cannot answer ends the
// search: what comes later might be the wrong mailbox.
func (r *Resolver) first(ctx context.Context, note func(Step), found Resolution, candidates ...candidate) (Resolution, error) {
	for _, c := range candidates {
		key, err := c.resolveKey(found.Domain)
		if err != nil {
			note(Step{c.rule, c.local, err.Error()})
			continue
		}
		if key == (directory.Key{}) {
			continue // not configured
		}
		account, err := r.Directory.Lookup(ctx, key)
		switch {
		case err == nil:
			note(Step{c.rule, key.String(), account.Address})
			found.Account, found.Detail = account, c.detail
			return found, accountRefusal(account)
		case errors.Is(err, directory.ErrNotFound):
			note(Step{c.rule, key.String(), "none"})
		default:
			note(Step{c.rule, key.String(), err.Error()})
			return Resolution{}, &lmtp.Error{
				Code: 451, Enhanced: "4.4.3", Text: "cannot look the mailbox up now", Rule: "directory",
				Cause: fmt.Errorf("look up %s: %w", key, err),
			}
		}
	}
	return Resolution{}, &lmtp.Error{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox here", Rule: "account"}
}

// resolveKey computes the key. A local part without one, such as one whose key would be
// plain ASCII where it was not itself, matches nothing.
func (c candidate) resolveKey(d *Domain) (directory.Key, error) {
	if c.local == "" {
		return c.key, nil
	}
	local, err := d.Policy.Key(c.local)
	if err != nil {
		return directory.Key{}, err
	}
	return directory.Key{Local: local, Domain: d.Key}, nil
}

// accountRefusal is the reply for an account that takes no mail.
func accountRefusal(a *directory.Account) error {
	switch a.Disabled {
	case "":
		return nil
	case "reject":
		return &lmtp.Error{Code: 550, Enhanced: "5.2.1", Text: "mailbox is disabled", Rule: "disabled"}
	default:
		return &lmtp.Error{Code: 450, Enhanced: "4.2.1", Text: "mailbox is disabled for now", Rule: "disabled"}
	}
}

// isPostmaster compares in ASCII, whatever the domain says of case (RFC 5321 §4.5.1).
func isPostmaster(local string) bool {
	return len(local) == len("postmaster") && strings.EqualFold(local, "postmaster")
}
