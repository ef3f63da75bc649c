package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An Alias is one [[alias]] table: an address that stands for others.
type Alias struct {
	Address address.Address
	To      []address.Address
}

var aliasSection = table.Section[Alias]{
	Name: "alias",
	Doc: "An address that stands for several accounts, or for other aliases. It has one answer: 250 when all of them " +
		"that take the message have it. See aliases.md.",
	Keys: []table.Key[Alias]{
		{Name: "address", Example: `"team@example.org"`, Required: true,
			Kind: table.Parsed("an address", parseAddress, func(a *Alias) *address.Address { return &a.Address }),
			Doc:  "The address. Unlike an alias in [[user]], it does not name a mailbox."},
		{Name: "to", Kind: table.ParsedList("addresses",
			table.NotEmpty("has no recipients", "name an address, or leave the alias out"),
			parseAddress, func(a *Alias) *[]address.Address { return &a.To }),
			Example: `["alice@example.org", "bob@example.org"]`, Required: true,
			Doc: "The recipients it expands to. They must be in local domains; mail is never forwarded. Mail for the alias " +
				"with a detail goes to each with that detail, unless the target has one of its own."},
	},
	Sample: []string{`address = "team@example.org"`, `to = ["postmaster@example.org"]`},
}

// checkAliases checks that aliases lead to accounts, not in a circle, and to no more than the limits allow.
func (n *names) checkAliases() {
	leads := map[account][]lead{}
	for i, a := range n.accounts.Aliases {
		from, ours, err := n.account(a.Address)
		if err != nil || !ours {
			continue // a problem already
		}
		for j, v := range n.in.Element("alias", i).Elements("to") {
			n.checkTarget(v, a.To[j])
			if to, ok := n.leadTo(a.To[j]); ok {
				leads[from] = append(leads[from], to)
			}
		}
	}
	for i, a := range n.accounts.Aliases {
		from, ours, err := n.account(a.Address)
		if err != nil || !ours {
			continue
		}
		w := expansion{leads: leads, limits: n.limits, reached: map[lead]bool{}}
		if err := w.follow(from, ""); err != nil {
			n.in.Element("alias", i).Value("address").Refuse(err)
		}
	}
}

// A lead is what one target of an alias leads to.
type lead struct {
	to     account
	detail string
}

// leadTo returns what an address leads to, false if it is none of ours.
func (n *names) leadTo(a address.Address) (lead, bool) {
	key, ours, err := n.account(a)
	if err != nil || !ours {
		return lead{}, false
	}
	owner, exists := n.owner(a)
	if !exists || owner == key {
		return lead{to: key}, true // a directory may have it
	}
	_, detail, _ := address.SplitDetail(a.Local, n.accounts.Domains[n.domains[key.domain]].Subaddress)
	return lead{owner, detail}, true
}

// An expansion follows an alias as the server will.
type expansion struct {
	leads   map[account][]lead
	limits  Limits
	within  []account
	reached map[lead]bool
}

// follow follows the targets of an alias, if at is one. Its error is what the server will defer the mail for.
func (x *expansion) follow(at account, detail string) error {
	targets, isAlias := x.leads[at]
	if i := slices.Index(x.within, at); i >= 0 {
		var way []string
		for _, through := range append(x.within[i:], at) {
			way = append(way, through.String())
		}
		return hint.New("leads in a circle: "+strings.Join(way, ", "), "")
	}
	if isAlias && len(x.within) == x.limits.AliasDepth {
		return hint.New(fmt.Sprintf("is deeper than the %d aliases of limits.alias_depth", len(x.within)),
			"let "+hint.Quote(x.within[len(x.within)-1].String())+" name what "+hint.Quote(at.String())+" stands for")
	}
	x.within = append(x.within, at)
	defer func() { x.within = x.within[:len(x.within)-1] }()
	for _, t := range targets {
		t.detail = cmp.Or(t.detail, detail)
		if x.reached[t] && !slices.Contains(x.within, t.to) {
			continue
		}
		if !x.reached[t] && len(x.reached) == x.limits.AliasTargets {
			return hint.New(fmt.Sprintf("stands for more than the %d addresses of limits.alias_targets", len(x.reached)),
				"raise the limit, or split the list")
		}
		x.reached[t] = true
		if err := x.follow(t.to, t.detail); err != nil {
			return err
		}
	}
	return nil
}

// checkTarget is checkExists for a target of an alias, which the postmaster or a catch-all may take.
func (n *names) checkTarget(v *table.Value, a address.Address) {
	_, exists := n.owner(a)
	key, ours, err := n.account(a)
	if exists || err != nil || !ours || n.hasDirectories() {
		n.checkExists(v, a)
		return
	}
	domain := n.accounts.Domains[n.domains[key.domain]]
	const none = " is not the address of a [[user]] or an [[alias]]: its mail goes to "
	switch {
	case strings.EqualFold(a.Local, "postmaster") && n.in.Value("postmaster") != nil:
		v.Warn(hint.Quote(a.Raw)+none+"the postmaster", "")
	case !domain.CatchAll.IsNull():
		v.Warn(hint.Quote(a.Raw)+none+"the catch-all "+hint.Quote(domain.CatchAll.Raw), "")
	default:
		n.checkExists(v, a)
	}
}
