package config

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An Alias is one [[alias]] table: an address that stands for others.
type Alias struct {
	Address address.Address
	To      []address.Address
}

func beginAlias(r *reader) int {
	r.config.Aliases = append(r.config.Aliases, Alias{})
	last := len(r.config.Aliases) - 1
	r.alias = &r.config.Aliases[last]
	return last
}

// aliasSection describes [[alias]].
func aliasSection() section {
	return section{
		name: "alias", array: true, begin: beginAlias,
		doc: "An address that stands for several accounts, or for other aliases. It has one answer: 250 when everybody has the message.",
		keys: []key{
			{
				name: "address", kind: text("an address", readAliasAddress), example: `"team@example.org"`, required: true,
				doc: "The address. In other words than those of an account's aliases it is no name of a mailbox.",
			},
			{
				name: "to", kind: list("addresses", beginTargets, readTarget), example: `["alice@example.org", "bob@example.org"]`, required: true,
				doc: "Whom it stands for: addresses in our domains. Nothing is sent elsewhere. Mail for the alias with a detail goes to each with that detail.",
			},
		},
		sample: []string{`address = "team@example.org"`, `to = ["postmaster@example.org"]`},
	}
}

func readAliasAddress(r *reader, v value, s string) {
	if r.readAddress(v, s, &r.alias.Address) {
		r.mailboxes = append(r.mailboxes, mailbox{v.place(), r.alias.Address, noUser})
	}
}

func beginTargets(r *reader, v value, length int) {
	if length == 0 {
		r.problems.add(v.place(), "stands for nobody", "name an address, or leave the alias out")
	}
}

func readTarget(r *reader, v value, s string) {
	var to address.Address
	r.readAddress(v, s, &to)
	r.alias.To = append(r.alias.To, to)
}

// checkAliases checks that aliases lead to accounts, and in no circle.
func (r *reader) checkAliases(domains map[string]int, owners map[account]mailbox) {
	leads := map[account][]account{}
	for i, a := range r.config.Aliases {
		from, ours, err := r.account(a.Address, domains)
		if err != nil || !ours {
			continue // a problem already
		}
		for j, to := range a.To {
			r.checkExists(r.said["alias["+itoa(i)+"].to["+itoa(j)+"]"], to, domains, owners)
			if target, ours, err := r.account(to, domains); err == nil && ours {
				leads[from] = append(leads[from], target)
			}
		}
	}
	for i, a := range r.config.Aliases {
		from, ours, err := r.account(a.Address, domains)
		if err != nil || !ours {
			continue
		}
		if circle := findCircle(leads, from); circle != nil {
			r.problems.add(r.said["alias["+itoa(i)+"].address"].place(), "leads in a circle: "+strings.Join(circle, ", "), "")
		}
	}
}

// findCircle gives the way from an alias back to itself, nil when there is none.
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

func (a account) String() string { return a.local + "@" + a.domain }
