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
	alias("@catch.example", "c@db.example")
	alias("@round.example", "nobody@round.example")
	for i := range 12 {
		alias(fmt.Sprintf("deep%d@dst.example", i), fmt.Sprintf("deep%d@dst.example", i+1))
	}
	alias("deep12@dst.example", "a@dst.example")
	var many []string
	for range 101 {
		many = append(many, "a@dst.example")
	}
	alias("many@dst.example", many...)
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
		{"loop@dst.example", "451 4.3.5 alias loop@dst.example: is part of a loop"},
		{"self@dst.example", "451 4.3.5 alias self@dst.example: is part of a loop"},
		{"empty@dst.example", "451 4.3.5 alias empty@dst.example: stands for nothing"},
		{"dangling@dst.example", "451 4.3.5 alias dangling@dst.example: target nobody@dst.example: no such mailbox here"},
		{"foreign@dst.example", "451 4.3.5 alias foreign@dst.example: target a@elsewhere.example: no such domain here"},
		{"garbage@dst.example", "451 4.3.5 alias garbage@dst.example: target \"not an address\\r\\n\": "},
		{"some@dst.example", "a@dst.example"},
		{"none@dst.example", "550 5.2.1 "},
		{"later@dst.example", "450 4.2.1 "},
		{"deep3@dst.example", "a@dst.example"},
		{"deep2@dst.example", "451 4.3.5 alias deep12@dst.example: is behind more than 10 others"},
		{"many@dst.example", "451 4.3.5 alias many@dst.example: comes to more than 100 addresses"},
		{"Postmaster", "a@dst.example b@dst.example c@db.example"},
		{"postmaster@db.example", "a@dst.example b@dst.example c@db.example"},
		// Domains of the directory.
		{"c@db.example", "c@db.example"},
		{"C-Lists@DB.example", "c@db.example+Lists"},
		{"c@other.example", "c@db.example"},
		{"a@third.example", "a@dst.example"},
		{"anybody@catch.example", "c@db.example"},
		{"nobody@db.example", "550 5.1.1 "},
		{"anybody@round.example", "451 4.3.5 alias @round.example: is part of a loop"},
		{"a@x1.example", "451 4.4.3 domain x1.example: more than 4 "},
		{"a@down.example", "451 4.4.3 look up domain down.example: connection refused"},
		{"a@nowhere.example", "550 5.1.2 "},
	} {
		to, err := address.ParseForwardPath(tt.to, true)
		if err != nil {
			t.Fatalf("%s: %v", tt.to, err)
		}
		found, err := r.Resolve(t.Context(), to)
		if got := describe(found, err); !strings.HasPrefix(got, tt.want) || err == nil && got != tt.want {
			t.Errorf("%s comes to %s\nwant %s", tt.to, got, tt.want)
		}
	}
}

// describe returns the accounts, or the reply and its reason.
func describe(found []route.Resolution, err error) string {
	if e := (*lmtp.Error)(nil); errors.As(err, &e) {
		return fmt.Sprintf("%d %s %v", e.Code, e.Enhanced, e.Cause)
	}
	var all []string
	for _, f := range found {
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
