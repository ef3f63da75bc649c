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

// The bounds of an alias, where a Resolver has none: a directory is not always filled by the people who run the server.
const (
	DefaultAliasTargets = 1000
	DefaultAliasDepth   = 20
)

// Why an alias cannot be followed, as far as its own lists say.
var (
	ErrAliasCircle  = errors.New("leads in a circle")
	ErrAliasDepth   = errors.New("is within too many other aliases")
	ErrAliasTargets = errors.New("stands for too many addresses")
)

// An expansion is one address on its way to its accounts.
type expansion struct {
	resolver *Resolver
	steps    *[]Step // nil: they are not wanted
	found    []Resolution
	within   []directory.Key          // the aliases that led here
	path     []string                 // the targets of theirs that did, for the steps
	reached  map[target]directory.Key // what of theirs was looked for, and which alias it is; zero for none
	mention  target                   // the latest of them
	accounts map[target]bool          // those found
	wrong    error                    // about the first target to which no mail can go
}

// A target is an address that an alias stands for, so that one that is there twice counts once.
type target struct {
	key    directory.Key
	detail string
}

// note adds a step for those who ask.
func (x *expansion) note(rule, input, result string) {
	if x.steps != nil {
		*x.steps = append(*x.steps, Step{rule, input, result, x.path})
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
	as.Account, as.Refused = entry.Account, accountRefusal(entry.Account)
	if as.aliased = len(x.within) > 0; as.aliased {
		as.path = x.path
		account := target{entry.Account.Key, as.Detail}
		if x.accounts[account] {
			return nil // by another target
		}
		x.accounts[account] = true
	}
	x.found = append(x.found, as)
	return nil
}

// alias follows an alias. What is wrong with its list is a mistake of ours and not the sender's: it defers the mail,
// and the log names it.
func (x *expansion) alias(ctx context.Context, key directory.Key, targets []string, detail string) error {
	if x.steps != nil {
		x.noteKey("alias", key, strings.Join(targets, ", "))
	}
	switch {
	case len(targets) == 0:
		return x.badAlias(key, errors.New("stands for nothing"))
	case slices.Contains(x.within, key):
		return x.circle(key)
	}
	if most := cmp.Or(x.resolver.AliasDepth, DefaultAliasDepth); len(x.within) == most {
		return x.badAlias(key, fmt.Errorf("%w: limits.alias_depth is %d", ErrAliasDepth, most))
	}
	if len(x.within) == 0 {
		x.reached, x.accounts = map[target]directory.Key{}, map[target]bool{}
	} else {
		x.reached[x.mention] = key
	}
	x.within = append(x.within, key)
	defer func() { x.within = x.within[:len(x.within)-1] }()
	for _, text := range targets {
		to, err := address.Parser{UTF8: true}.ForwardPath(text)
		if err != nil {
			x.wrong = cmp.Or(x.wrong, x.badAlias(key, fmt.Errorf("target %q: %w", text, err)))
			continue
		}
		if err := x.target(ctx, key, withDetail(to, detail, x.resolver)); err != nil {
			return err
		}
	}
	return nil
}

// target follows one target of an alias.
func (x *expansion) target(ctx context.Context, of directory.Key, to address.Address) error {
	mention := x.resolver.targetOf(to)
	if alias, again := x.reached[mention]; again {
		if slices.Contains(x.within, alias) {
			return x.circle(alias)
		}
		x.note("repeated", to.Log(), "counts once")
		return nil
	}
	if most := cmp.Or(x.resolver.AliasTargets, DefaultAliasTargets); len(x.reached) == most {
		return x.badAlias(x.within[0], fmt.Errorf("%w: limits.alias_targets is %d", ErrAliasTargets, most))
	}
	x.reached[mention], x.mention = directory.Key{}, mention
	if x.steps != nil {
		path := x.path
		x.path = append(slices.Clip(path), to.Log())
		defer func() { x.path = path }()
	}
	err := x.resolve(ctx, to)
	known := (*lmtp.Error)(nil)
	switch {
	case err == nil || Defers(err):
		return err
	case errors.As(err, &known) && known.Rule == errNoMailbox.Rule:
		nowhere := badAlias(of, fmt.Errorf("target %s: %s", to.Log(), known.Text))
		x.found = append(x.found, Resolution{
			Target: to.Log(), Refused: known, nowhere: nowhere, aliased: true, path: x.path,
		})
	default: // it is elsewhere, and to leave it out would lose its mail
		x.wrong = cmp.Or(x.wrong, x.badAlias(of, fmt.Errorf("target %s: %s", to.Log(), known.Text)))
	}
	return nil
}

// targetOf tells targets apart as far as that is known without a lookup.
func (r *Resolver) targetOf(to address.Address) target {
	named, err := r.Named(to)
	switch {
	case err != nil:
		return target{key: directory.Key{Local: to.Local, Domain: to.Domain}}
	case named.WithoutDetail.Local != "":
		return target{named.WithoutDetail, named.Detail}
	}
	return target{key: named.Key}
}

// CheckAlias follows the alias with a key, and returns what is wrong with its lists: that they lead in a circle or
// exceed the bounds. nil says no more than that.
func (r *Resolver) CheckAlias(ctx context.Context, key directory.Key) error {
	entry, err := r.Directory.Lookup(ctx, key)
	if err != nil || entry.Account != nil {
		return nil
	}
	x := expansion{resolver: r}
	err = x.alias(ctx, key, entry.Targets, "")
	for _, wrong := range []error{ErrAliasCircle, ErrAliasDepth, ErrAliasTargets} {
		if errors.Is(err, wrong) {
			return errors.Unwrap(err)
		}
	}
	return nil
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

// circle is the reply for an alias that leads to itself.
func (x *expansion) circle(key directory.Key) error {
	var way strings.Builder
	for _, through := range x.within[slices.Index(x.within, key):] {
		way.WriteString(through.String() + ", ")
	}
	return x.badAlias(key, fmt.Errorf("%w: %s%s", ErrAliasCircle, way.String(), key))
}

// badAlias is the reply for an alias that cannot be followed, and a step.
func (x *expansion) badAlias(key directory.Key, why error) error {
	x.noteKey("alias", key, why.Error())
	return badAlias(key, why)
}

func badAlias(key directory.Key, why error) error {
	return &lmtp.Error{
		Code: 451, Enhanced: "4.3.5", Text: "the alias cannot be followed now", Rule: "alias",
		Cause: fmt.Errorf("alias %s: %w", key, why),
	}
}

// verdict is what becomes of mail for an address because of those that it leads to and that refuse it, nil if the
// others get it. One that refuses for good is left out as long as another takes the mail. One that refuses for now
// defers the mail for all: if the others had it, they would get it again at each of the client's attempts. Unless they
// are delivered to apart, and the client is answered later, when the others have it.
func verdict(members []Resolution, apart bool) (refused, later error) {
	taken := false
	for _, m := range members {
		switch {
		case m.Refused == nil:
			taken = true
		case Defers(m.Refused):
			later = cmp.Or(later, m.Refused)
		case refused == nil || m.nowhere != nil:
			refused = cmp.Or(m.nowhere, m.Refused)
		}
	}
	switch {
	case later != nil && !(taken && apart):
		return later, nil
	case taken:
		return nil, later
	}
	return refused, nil
}
