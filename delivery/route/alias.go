package route

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

const (
	// maxAliasDepth bounds aliases for aliases.
	maxAliasDepth = 10
	// maxAliasTargets bounds what one recipient may come to: a directory is not always
	// filled by the people who run the server.
	maxAliasTargets = 100
)

// An expansion is one address on its way to its accounts.
type expansion struct {
	resolver *Resolver
	steps    *[]Step // nil: they are not wanted
	found    []Resolution
	within   []directory.Key // the aliases that led here
	targets  int
}

// note adds a step for those who ask.
func (x *expansion) note(rule, input, result string) {
	if x.steps != nil {
		*x.steps = append(*x.steps, Step{rule, input, result})
	}
}

func (x *expansion) noteKey(rule string, key directory.Key, result string) {
	if x.steps != nil {
		x.note(rule, key.String(), result)
	}
}

func (x *expansion) noteDomain(rule, key, result string) {
	if x.steps != nil {
		x.note(rule, address.DomainUnicode(key), result)
	}
}

// take takes what a directory has for a key.
func (x *expansion) take(
	ctx context.Context, entry directory.Entry, key directory.Key, as Resolution, rule string,
) error {
	if entry.Account == nil {
		return x.alias(ctx, key, entry.Targets, as.Detail)
	}
	if x.steps != nil {
		x.noteKey(rule, key, address.Shown(entry.Account.Address))
	}
	as.Account = entry.Account
	for _, other := range x.found {
		if other.Account.Key == as.Account.Key && other.Detail == as.Detail {
			return nil // by another alias
		}
	}
	x.found = append(x.found, as)
	return accountRefusal(as.Account)
}

// alias follows an alias. A loop, or one of its targets that leads nowhere, is a mistake of ours
// and not the sender's: it defers the mail, and the log names it. A target that refuses mail for
// good is left out as long as another takes it.
func (x *expansion) alias(ctx context.Context, key directory.Key, targets []string, detail string) error {
	if x.steps != nil {
		x.noteKey("alias", key, strings.Join(targets, ", "))
	}
	switch {
	case len(targets) == 0:
		return badAlias(key, "stands for nothing")
	case slices.Contains(x.within, key):
		return badAlias(key, "is part of a loop")
	case len(x.within) == maxAliasDepth:
		return badAlias(key, "is behind more than %d others", maxAliasDepth)
	}
	if x.targets += len(targets); x.targets > maxAliasTargets {
		return badAlias(key, "comes to more than %d addresses", maxAliasTargets)
	}
	x.within = append(x.within, key)
	defer func() { x.within = x.within[:len(x.within)-1] }()

	var refusal error
	taken := 0
	for _, target := range targets {
		to, err := address.ParseForwardPath(target, true)
		if err != nil {
			return badAlias(key, "target %q: %w", target, err)
		}
		before := len(x.found)
		err = x.resolve(ctx, withDetail(to, detail, x.resolver))
		switch known := (*lmtp.Error)(nil); {
		case err == nil:
			taken++
		case errors.As(err, &known) && known.Rule == "disabled" && known.Code >= 500: // this one refuses
			refusal = err
			if len(targets) > 1 {
				x.found = x.found[:before]
			}
		case errors.As(err, &known) && known.Code >= 500:
			return badAlias(key, "target %s: %s", to.Log(), known.Text)
		default:
			return err
		}
	}
	if taken > 0 {
		return nil
	}
	return refusal
}

// withDetail is the target of an alias that was asked for with a detail: team+news, where team
// stands for alice, goes to alice+news.
func withDetail(to address.Address, detail string, r *Resolver) address.Address {
	if detail == "" {
		return to
	}
	d := r.rules(to.Domain)
	if d == nil || d.Subaddress == "" {
		return to
	}
	if _, _, has := address.SplitDetail(to.Local, d.Subaddress); !has {
		to.Local += d.Subaddress[:1] + detail
	}
	return to
}

// badAlias is the reply for an alias that cannot be followed.
func badAlias(key directory.Key, format string, args ...any) error {
	return &lmtp.Error{
		Code: 451, Enhanced: "4.3.5", Text: "the alias cannot be followed now", Rule: "alias",
		Cause: fmt.Errorf("alias %s: %w", key, fmt.Errorf(format, args...)),
	}
}
