package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon/privilege"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// Bounds of what is looked at and said of one directory.
const (
	maxHomes = 1000
	maxNamed = 5
)

// A directoryCheck asks one [[directory]].
type directoryCheck struct {
	*question
	c     *config.Config
	d     config.Directory
	agent *delivery.Agent
	lost  []string // what is wrong with accounts
}

// directoryQuestion asks a directory what the server asks at RCPT, and for all its accounts.
func directoryQuestion(c *config.Config, i int, agent *delivery.Agent) *question {
	d := c.Directories[i]
	name := "directory " + d.Name
	if d.Name != string(d.Driver) {
		name += " (" + string(d.Driver) + ")"
	}
	return &question{Answer: Answer{Key: fmt.Sprintf("directory[%d]", i), Name: name},
		ask: func(ctx context.Context, q *question) {
			check := &directoryCheck{question: q, c: c, d: d, agent: agent}
			check.run(ctx)
		}}
}

func (q *directoryCheck) run(ctx context.Context) {
	opened, err := build.OpenDirectory(q.d, q.agent.Router.Resolver, slog.New(complaints{&q.lost}))
	if err != nil {
		q.fault(err)
		return
	}
	defer func() { _ = build.CloseDirectory(opened) }() // it was read only
	bounded, breaker := directory.Bounded(q.d.Name, opened, q.d.Timeout, nil)
	defer breaker.Close()
	if !q.decides(ctx, bounded) {
		return
	}
	lister, ok := opened.(directory.Lister)
	if !ok {
		q.Text = "answers; its accounts cannot be counted"
		return
	}
	q.count(ctx, lister)
}

// decides asks what is asked at RCPT, for a name that no account has: for an account, an alias, the catch-all, the
// domain.
func (q *directoryCheck) decides(ctx context.Context, d directory.Directory) bool {
	key := directory.Key{Local: "doorstep-check", Domain: q.domain()}
	asks := []func() error{
		func() error { _, err := d.Lookup(ctx, key); return err },
		func() error { _, err := d.Lookup(ctx, directory.Key{Domain: key.Domain}); return err },
	}
	if knower, ok := d.(directory.DomainDirectory); ok {
		asks = append(asks, func() error { _, err := knower.Domain(ctx, key.Domain); return err })
	}
	well := true
	for _, ask := range asks {
		err := ask()
		if err == nil || errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrBroken) {
			continue
		}
		well = false
		if !q.fault(err).ofQuery() {
			break // it would be the same with the others, and take as long
		}
	}
	return well
}

// domain is one that the directory may have accounts of.
func (q *directoryCheck) domain() string {
	name := q.c.Hostname
	switch {
	case len(q.d.System.Domains) > 0:
		name = q.d.System.Domains[0]
	case len(q.c.Domains) > 0:
		name = q.c.Domains[0].Name
	}
	key, err := address.DomainKey(name)
	if err != nil {
		return name
	}
	return key
}

// fault says what is wrong, with the key that may be the reason.
func (q *directoryCheck) fault(err error) cause {
	why := causeOf(err)
	key, hint := culprit(q.d, why, err)
	if query := (*sql.QueryError)(nil); errors.As(err, &query) && !why.ofQuery() {
		err = query.Unwrap() // it has nothing to do with the query
	}
	q.blame(q.c, q.Key+"."+key, err.Error(), hint)
	return why
}

// count counts the accounts, and looks whether those who come first have a place for their mail.
func (q *directoryCheck) count(ctx context.Context, d directory.Lister) {
	accounts, elsewhere, domains := 0, 0, map[string]bool{}
	var some []*directory.Account
	for a, err := range d.Accounts(ctx) {
		switch {
		case errors.Is(err, directory.ErrNotListed):
			q.Text = "answers; its accounts cannot be counted without iterate_query"
			if q.d.Driver == config.LDAPDriver {
				q.Text = "answers; its accounts cannot be counted without iterate_filter"
			}
			return
		case errors.Is(err, route.ErrNoDomain):
			elsewhere++
		case errors.Is(err, directory.ErrBroken):
			q.lost = append(q.lost, err.Error())
		case err != nil && ctx.Err() != nil:
			q.Text = fmt.Sprintf("more than %s in %s, which were not all counted within %s", count(accounts, "account"),
				count(len(domains), "domain"), patience)
			return
		case err != nil:
			q.fault(err)
			return
		default:
			accounts++
			domains[a.Key.Domain] = true
			if len(some) < maxHomes {
				some = append(some, a)
			}
		}
	}
	q.counted(accounts, len(domains))
	if elsewhere > 0 {
		q.Text += fmt.Sprintf(", and %d of domains that mail is not taken for", elsewhere)
	}
	well := 0
	for _, a := range some {
		err := noWay(ctx, q.c, q.agent, a)
		if err == nil {
			well++
			continue
		}
		q.lost = append(q.lost, err.Error())
	}
	q.tellLost()
	if well == 0 && len(q.lost) > 0 {
		q.blame(q.c, q.Key, "none of its accounts takes mail", lookupTells)
	}
}

// tellLost warns of accounts whose mail is deferred.
func (q *directoryCheck) tellLost() {
	for i, text := range q.lost {
		if i == maxNamed {
			text = fmt.Sprintf("and %d more", len(q.lost)-maxNamed)
		}
		q.blame(q.c, q.Key, text, lookupTells).Warning = true
		if i == maxNamed {
			break
		}
	}
}

// noWay says why no mail could come to an account.
func noWay(ctx context.Context, c *config.Config, agent *delivery.Agent, a *directory.Account) error {
	if a.Disabled != "" {
		return nil
	}
	dest, err := agent.Router.Inbox(a)
	if err == nil && mayLook(agent) {
		err = isMaildir(dest.String(), c.Store.Create)
	}
	if err == nil && mayLook(agent) {
		if err = agent.Store.Reachable(ctx, dest); errors.Is(err, mailbox.ErrNoRoot) {
			err = fmt.Errorf("its home is not there, and is not made: %w", err)
		}
	}
	if overlap := (*directory.Overlap)(nil); err == nil {
		if _, e := agent.Router.Resolver.Directory.Lookup(ctx, a.Key); errors.As(e, &overlap) {
			err = fmt.Errorf("is in %s: %s", strings.Join(overlap.Backends, " and "), build.OverlapHint)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", address.Shown(a.Address), err)
	}
	return nil
}

// isMaildir says why there can be no Maildir at a path.
func isMaildir(path string, made bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !made:
		return fmt.Errorf("there is no %s, and store.create is false", path)
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is no directory", path)
	}
	return nil // or it is the owner who may look
}

// mayLook reports whether the present user may look where mail of others goes.
func mayLook(agent *delivery.Agent) bool {
	borrows, err := privilege.Borrows()
	return !agent.Router.Owners.Allowed || borrows && err == nil
}

// complaints collects the errors that a directory logs.
type complaints struct{ found *[]string }

func (complaints) Enabled(context.Context, slog.Level) bool { return true }
func (c complaints) WithAttrs([]slog.Attr) slog.Handler     { return c }
func (c complaints) WithGroup(string) slog.Handler          { return c }

func (c complaints) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			*c.found = append(*c.found, a.Value.String())
		}
		return true
	})
	return nil
}

// count returns n with a noun.
func count(n int, noun string) string { return cli.Count(n, noun) }
