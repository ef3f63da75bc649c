package route_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// knowing is a directory that knows domains, too.
type knowing struct {
	directory.Directory
	domains map[string]directory.Domain
}

func (k knowing) Domain(_ context.Context, key string) (directory.Domain, error) {
	if key == "down.example" {
		return directory.Domain{}, errors.New("connection refused")
	}
	if d, ok := k.domains[key]; ok {
		return d, nil
	}
	return directory.Domain{}, directory.ErrNotFound
}

// aliasResolver has dst.example in the configuration, and more domains and aliases in a directory.
func aliasResolver(t *testing.T) *route.Resolver {
	t.Helper()
	fold := address.LocalPolicy{Fold: true}
	domains := route.Domains{}
	must(t, domains.Add(&route.Domain{Name: "dst.example", Key: "dst.example", Policy: fold, Subaddress: "+"}))
	known := static.New()
	add := func(text, disabled string) {
		local, domain, _ := strings.Cut(text, "@")
		must(t, known.Add(&directory.Account{Address: text, Key: directory.Key{Local: local, Domain: domain},
			Disabled: disabled}))
	}
	add("a@dst.example", "")
	add("b@dst.example", "")
	add("c@db.example", "")
	add("gone@dst.example", "reject")
	add("away@dst.example", "defer")
	alias := func(text string, targets ...string) {
		local, domain, _ := strings.Cut(text, "@")
		must(t, known.AddAlias(directory.Key{Local: local, Domain: domain}, targets...))
	}
	alias("one@dst.example", "A@DST.example")
	alias("all@dst.example", "a@dst.example", "b@dst.example", "c@db.example")
	alias("nested@dst.example", "all@dst.example", "a@dst.example", "one@dst.example")
	alias("plus@dst.example", "a+lists@dst.example")
	alias("loop@dst.example", "loop2@dst.example")
	alias("loop2@dst.example", "a@dst.example", "loop@dst.example")
	alias("self@dst.example", "self@dst.example")
	alias("empty@dst.example")
	alias("dangling@dst.example", "a@dst.example", "nobody@dst.example")
	alias("foreign@dst.example", "a@dst.example", "a@elsewhere.example")
	alias("garbage@dst.example", "a@dst.example", "not an address\r\n")
	alias("some@dst.example", "gone@dst.example", "a@dst.example")
	alias("none@dst.example", "gone@dst.example")
	alias("later@dst.example", "a@dst.example", "away@dst.example")
	alias("nowhere@dst.example", "nobody@dst.example")
	alias("mixed@dst.example", "gone@dst.example", "nobody@dst.example")
	alias("dangling2@dst.example", "nowhere@dst.example", "none@dst.example", "b@dst.example")
	alias("round1@dst.example", "a+x@dst.example", "round2+x@dst.example")
	alias("round2@dst.example", "round3@dst.example", "b@dst.example")
	alias("round3@dst.example", "a@dst.example", "round2@dst.example")
	alias("foreigncircle@dst.example", "a@elsewhere.example", "loop@dst.example")
	alias("@catch.example", "c@db.example")
	alias("@round.example", "nobody@round.example")
	for i := range 22 {
		alias(fmt.Sprintf("deep%d@dst.example", i), fmt.Sprintf("deep%d@dst.example", i+1))
	}
	alias("deep22@dst.example", "a@dst.example")
	var many []string
	for i := range 1000 {
		many = append(many, "a@dst.example", "A@DST.example", fmt.Sprintf("a+%d@dst.example", i))
	}
	alias("most@dst.example", many[:2999]...)
	alias("many@dst.example", many...)
	// Lists that overlap: each of ten is in each before it, so that every path would be followed 2^10 times.
	for i := range 10 {
		var targets []string
		for j := i + 1; j <= 10; j++ {
			targets = append(targets, fmt.Sprintf("over%d@dst.example", j))
		}
		alias(fmt.Sprintf("over%d@dst.example", i), append(targets, "a@dst.example")...)
	}
	alias("over10@dst.example", "b@dst.example")
	return &route.Resolver{
		Domains:  domains,
		Unlisted: &route.Domain{Policy: fold, Subaddress: "-"},
		Directory: knowing{known, map[string]directory.Domain{
			"db.example": {Name: "DB.example"}, "catch.example": {Name: "catch.example"},
			"round.example": {Name: "round.example"},
			"other.example": {Name: "other.example", AliasOf: "db.example"},
			"third.example": {Name: "third.example", AliasOf: "Dst.Example"},
			"x1.example":    {Name: "x1.example", AliasOf: "x2.example"},
			"x2.example":    {Name: "x2.example", AliasOf: "x1.example"},
		}},
		Postmaster: route.Named{Key: directory.Key{Local: "all", Domain: "dst.example"}},
	}
}

// TestAliases: what an address comes to, or the reply it gets and the reason in the log.
func TestAliases(t *testing.T) {
	r := aliasResolver(t)
	for _, tt := range []struct{ to, want string }{
		{"one@dst.example", "a@dst.example"},
		{"all@dst.example", "a@dst.example b@dst.example c@db.example"},
		{"nested@dst.example", "a@dst.example b@dst.example c@db.example"},
		{"plus@dst.example", "a@dst.example+lists"},
		{"one+News@dst.example", "a@dst.example+News"},
		{"plus+other@dst.example", "a@dst.example+lists"},
		{"all+x@dst.example", "a@dst.example+x b@dst.example+x c@db.example+x"},
		{"loop@dst.example", "451 4.3.5 " +
			"alias loop@dst.example: leads in a circle: loop@dst.example, loop2@dst.example, loop@dst.example"},
		{"self@dst.example", "451 4.3.5 alias self@dst.example: leads in a circle"},
		{"round1@dst.example", "451 4.3.5 " +
			"alias round2@dst.example: leads in a circle: round2@dst.example, round3@dst.example, round2@dst.example"},
		{"foreigncircle@dst.example", "451 4.3.5 alias loop@dst.example: leads in a circle"},
		{"empty@dst.example", "451 4.3.5 alias empty@dst.example: stands for nothing"},
		{"dangling@dst.example", "a@dst.example"},
		{"dangling2@dst.example", "b@dst.example"},
		{"nowhere@dst.example", "451 4.3.5 alias nowhere@dst.example: target nobody@dst.example: no such mailbox here"},
		{"mixed@dst.example", "451 4.3.5 alias mixed@dst.example: target nobody@dst.example: no such mailbox here"},
		{"foreign@dst.example", "451 4.3.5 alias foreign@dst.example: target a@elsewhere.example: no such domain here"},
		{"garbage@dst.example", "451 4.3.5 alias garbage@dst.example: target \"not an address\\r\\n\": "},
		{"some@dst.example", "a@dst.example"},
		{"none@dst.example", "550 5.2.1 "},
		{"later@dst.example", "450 4.2.1 "},
		{"deep3@dst.example", "a@dst.example"},
		{"deep2@dst.example",
			"451 4.3.5 alias deep22@dst.example: is within too many other aliases: limits.alias_depth is 20"},
		{"many@dst.example",
			"451 4.3.5 alias many@dst.example: stands for too many addresses: limits.alias_targets is 1000"},
		{"over0@dst.example", "a@dst.example b@dst.example"},
		{"Postmaster", "a@dst.example b@dst.example c@db.example"},
		{"postmaster@db.example", "a@dst.example b@dst.example c@db.example"},
		// Domains of the directory.
		{"c@db.example", "c@db.example"},
		{"C-Lists@DB.example", "c@db.example+Lists"},
		{"c@other.example", "c@db.example"},
		{"a@third.example", "a@dst.example"},
		{"anybody@catch.example", "c@db.example"},
		{"nobody@db.example", "550 5.1.1 "},
		{"anybody@round.example", "451 4.3.5 alias @round.example: leads in a circle"},
		{"a@x1.example", "451 4.4.3 domain x1.example: more than 4 "},
		{"a@down.example", "451 4.4.3 look up domain down.example: connection refused"},
		{"a@nowhere.example", "550 5.1.2 "},
	} {
		to, err := address.Parser{UTF8: true}.ForwardPath(tt.to)
		if err != nil {
			t.Fatalf("%s: %v", tt.to, err)
		}
		found, err := r.Resolve(t.Context(), to)
		if got := describe(found, err); !strings.HasPrefix(got, tt.want) || err == nil && got != tt.want {
			t.Errorf("%s comes to %s\nwant %s", tt.to, got, tt.want)
		}
	}
}

// TestAliasesOfManyTargets: of as many as the bound is, each counts once, however often it is there.
func TestAliasesOfManyTargets(t *testing.T) {
	to, err := address.Parse("most@dst.example")
	must(t, err)
	if found, err := aliasResolver(t).Resolve(t.Context(), to); err != nil || len(found) != 1000 {
		t.Errorf("%d accounts, %v", len(found), err)
	}
}

// describe returns the accounts, or the reply and its reason.
func describe(found []route.Resolution, err error) string {
	if e := (*lmtp.Error)(nil); errors.As(err, &e) {
		return fmt.Sprintf("%d %s %v", e.Code, e.Enhanced, e.Cause)
	}
	var all []string
	for _, f := range found {
		if f.Refused != nil {
			continue
		}
		text := f.Account.Address
		if f.Detail != "" {
			text += "+" + f.Detail
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
