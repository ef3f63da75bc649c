package config

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/internal/hint"
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
		"have the message.",
	Keys: []table.Key[Alias]{
		{Name: "address", Example: `"team@example.org"`, Required: true,
			Kind: table.Parsed("an address", parseAddress, func(a *Alias) *address.Address { return &a.Address }),
			Doc:  "The address. Unlike an alias in [[user]], it does not name a mailbox."},
		{Name: "to", Kind: table.ParsedList("addresses",
			table.NotEmpty("stands for nobody", "name an address, or leave the alias out"),
			parseAddress, func(a *Alias) *[]address.Address { return &a.To }),
			Example: `["alice@example.org", "bob@example.org"]`, Required: true,
			Doc: "The recipients it expands to. They must be in local domains; mail is never forwarded. Mail for the alias " +
				"with a detail goes to each with that detail, unless the target has one of its own."},
	},
	Sample: []string{`address = "team@example.org"`, `to = ["postmaster@example.org"]`},
}

// checkAliases checks that aliases lead to accounts, and not in a circle.
func (n *names) checkAliases() {
	leads := map[account][]account{}
	for i, a := range n.accounts.Aliases {
		from, ours, err := n.account(a.Address)
		if err != nil || !ours {
			continue // a problem already
		}
		for j, v := range n.in.Element("alias", i).Elements("to") {
			n.checkTarget(v, a.To[j])
			if target, exists := n.owner(a.To[j]); exists {
				leads[from] = append(leads[from], target)
			}
		}
	}
	for i, a := range n.accounts.Aliases {
		from, ours, err := n.account(a.Address)
		if err != nil || !ours {
			continue
		}
		if circle := findCircle(leads, from); circle != nil {
			v := n.in.Element("alias", i).Value("address")
			v.Add("leads in a circle: "+strings.Join(circle, ", "), "")
		}
	}
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

// findCircle returns the way from an alias back to itself, nil if there is none.
func findCircle(leads map[account][]account, start account) []string {
	came := map[account]account{}
	queue := []account{start}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, to := range leads[at] {
			if to == start {
				way := []string{start.String()}
				for ; at != start; at = came[at] {
					way = append(way, at.String())
				}
				way = append(way, start.String())
				slices.Reverse(way)
				return way
			}
			if _, seen := came[to]; !seen {
				came[to] = at
				queue = append(queue, to)
			}
		}
	}
	return nil
}
