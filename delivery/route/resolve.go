package route

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Resolver finds the accounts that a forward-path leads to. Its steps are always the same,
// and in this order:
//
//  1. the domain, by any of its names (unknown: 550 5.1.2)
//  2. an account or alias whose local part has the same key
//  3. the same without the subaddress
//  4. postmaster: the configured one, because it must always be reachable (RFC 5321 §4.5.1)
//  5. the domain's catch-all
//
// and otherwise 550 5.1.1. An account that exists is never shadowed by an alias or a catch-all,
// whichever directory has it. What an alias stands for takes the same steps.
type Resolver struct {
	// Domains are those that the configuration names.
	Domains Domains
	// Unlisted has the rules for domains that only the directory knows; nil when it knows none.
	Unlisted  *Domain
	Directory directory.Directory
	// Postmaster takes <Postmaster>, and postmaster in domains that have no such account;
	// the zero Named for none.
	Postmaster Named
	// AliasTargets and AliasDepth bound what an alias may stand for, all of its aliases' targets together, and how many
	// aliases deep they may be. [DefaultAliasTargets, DefaultAliasDepth]
	AliasTargets, AliasDepth int
}

// A Step is one thing that a decision went by, for people who ask why.
type Step struct {
	Rule   string // "domain", "domain alias", "account", "alias", "subaddress", "postmaster", "catch-all", "folder", …
	Input  string // what was looked for
	Result string // what came of it
	// Path are the targets of aliases that led there from the address that was asked for.
	Path []string
}

// A Resolution is an account that an address leads to, or a target of an alias that leads to none.
type Resolution struct {
	Account *directory.Account // nil for none
	Domain  *Domain            // of the address, or of what an alias made of it; nil for <Postmaster>
	Detail  string             // the subaddress, "" for none

	// Refused is the reply for it alone, nil where it takes mail as far as the directory knows.
	Refused error
	// Target is the address where there is no account.
	Target  string
	nowhere error // the reply for an alias where no other target takes the mail
	aliased bool  // an alias led there, by
	path    []string
	action  Action
}

// name is the address of the account, or that for which there is none.
func (r *Resolution) name() string {
	if r.Account == nil {
		return r.Target
	}
	return address.Shown(r.Account.Address)
}

// Resolve finds the accounts for a forward-path: one or, where it is an alias for several, each of them once. Those
// that do not take its mail are among them. The error is an *lmtp.Error with the reply that RCPT gets.
func (r *Resolver) Resolve(ctx context.Context, to address.Address) ([]Resolution, error) {
	found, err := r.resolve(ctx, to, nil)
	refused, _ := verdict(found, false)
	return found, cmp.Or(err, refused)
}

// resolve is Resolve, but for what the accounts refuse, and adds each step to steps unless that is nil.
func (r *Resolver) resolve(ctx context.Context, to address.Address, steps *[]Step) ([]Resolution, error) {
	x := expansion{resolver: r, steps: steps}
	err := x.resolve(ctx, to)
	return x.found, cmp.Or(err, x.wrong)
}

// resolve takes the steps for one address.
func (x *expansion) resolve(ctx context.Context, to address.Address) error {
	if to.Domain == "" { // <Postmaster>: no other path lacks a domain (RFC 5321 §4.1.1.3)
		return x.first(ctx, nil, x.resolver.Postmaster.appendTo(nil, "postmaster")...)
	}
	domain, err := x.domain(ctx, to)
	if err != nil {
		return err
	}
	if why := isNobodys(to, domain); why != "" && len(x.within) == 0 { // what an alias stands for is not the client's
		x.note("account", to.Log(), why)
		return errNoMailbox
	}
	candidates := make([]candidate, 0, 6)
	candidates = append(candidates, candidate{rule: "account", local: to.Local})
	if user, detail, ok := address.SplitDetail(to.Local, domain.Subaddress); ok {
		candidates = append(candidates, candidate{rule: "subaddress", local: user, detail: detail})
	}
	if isPostmaster(to.Local) {
		candidates = x.resolver.Postmaster.appendTo(candidates, "postmaster")
	}
	catchAll := domain.CatchAll
	if catchAll.Key == (directory.Key{}) {
		catchAll.Key.Domain = domain.Key // the directory may have one
	}
	candidates = catchAll.appendTo(candidates, "catch-all")
	return x.first(ctx, domain, candidates...)
}

const (
	// maxPath is the longest forward-path, in octets: twice what every server must take (RFC 5321 §4.5.3.1.3). It stands
	// in Delivered-To and Received, whose lines have at most 998 octets, and in memory for each recipient.
	maxPath = 512
	// maxDetail is the longest subaddress, in octets. No folder's name is longer.
	maxDetail = 255
)

// isNobodys says why an address can have no mailbox, whatever a catch-all takes and whatever stands before its detail;
// "" where it can.
func isNobodys(to address.Address, domain *Domain) string {
	_, detail, _ := address.SplitDetail(to.Local, domain.Subaddress)
	switch {
	case len(to.String()) > maxPath: // with the quotes and backslashes that it is written with
		return fmt.Sprintf("more than %d octets", maxPath)
	case len(detail) > maxDetail:
		return fmt.Sprintf("a detail of more than %d octets", maxDetail)
	case address.HasControl(to.Local):
		return "a control, or what turns the direction of a text: no line of a header may have it"
	}
	return ""
}

// A candidate is an address that may be the one: by the local part that was asked for, or, where
// that is empty, by a configured key.
type candidate struct {
	rule   string
	local  string
	detail string
	key    directory.Key
	in     *Domain // of the key, where that is another than that of the address
}

// first takes the first candidate that exists. A directory that cannot answer ends the
// search: what comes later might be the wrong mailbox.
func (x *expansion) first(ctx context.Context, domain *Domain, candidates ...candidate) error {
	for _, c := range candidates {
		key, err := c.resolveKey(domain)
		if err != nil {
			x.note(c.rule, c.local, err.Error())
			continue
		}
		if key == (directory.Key{}) {
			continue // not configured
		}
		entry, err := x.resolver.Directory.Lookup(ctx, key)
		switch {
		case err == nil:
			return x.take(ctx, entry, key, Resolution{Domain: cmp.Or(c.in, domain), Detail: c.detail}, c.rule)
		case !errors.Is(err, directory.ErrNotFound):
			x.noteKey(c.rule, key, err.Error())
			return notNow(fmt.Errorf("look up %s: %w", key, err))
		case c.rule != "catch-all" || key.Local != "": // that none was configured is no news
			x.noteKey(c.rule, key, "none")
		}
	}
	return errNoMailbox
}

var errNoMailbox = &lmtp.Error{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox here", Rule: "account"}

// notNow is the reply while a directory cannot answer, or has something that makes no sense, or while
// two of them have the address: the mail of one mailbox must not go to the other.
func notNow(cause error) error {
	if overlap := (*directory.Overlap)(nil); errors.As(cause, &overlap) {
		return &lmtp.Error{
			Code: 451, Enhanced: "4.3.5", Text: "address has two mailboxes here", Rule: "claimed_twice", Cause: cause,
		}
	}
	return &lmtp.Error{
		Code: 451, Enhanced: "4.4.3", Text: "cannot look the mailbox up now", Rule: "directory", Cause: cause,
	}
}

// NoAnswer reports whether the reply of a Decision says that a directory cannot answer, or that several have the
// address.
func NoAnswer(err error) bool {
	return slices.Contains([]string{"claimed_twice", "directory"}, lmtp.RuleOf(err))
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
	case "unknown":
		return &lmtp.Error{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox here", Rule: "disabled"}
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
