package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/spf13/cobra"
)

// mailboxCommand looks after Maildirs.
func mailboxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mailbox",
		Short: "List mailboxes, count what they hold, verify and clean them",
	}
	cmd.AddCommand(mailboxListCommand(), mailboxMessagesCommand(), mailboxQuotaCommand(), mailboxSweepCommand(),
		mailboxVerifyCommand())
	return cmd
}

// An accountMailbox is an account and where its Maildir is.
type accountMailbox struct {
	account *directory.Account
	dest    mailbox.Dest
}

// mailboxVerb makes cmd a verb that prints what look finds out about each mailbox: as JSON, or by print. A mailbox for
// which no mail has come yet is no failure.
func mailboxVerb[T any](cmd *cobra.Command, look func(context.Context, *mailbox.Store, accountMailbox) ([]T, error),
	print func(io.Writer, []T) error) *cobra.Command {
	file := cli.ConfigFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var list []T
		err := eachMailbox(cmd, *file, args, func(s *mailbox.Store, m accountMailbox) error {
			rows, err := look(cmd.Context(), s, m)
			list = append(list, rows...)
			if errors.Is(err, mailbox.ErrNoMailbox) {
				return nil
			}
			return err
		})
		if *asJSON {
			return errors.Join(cli.PrintJSON(cmd.OutOrStdout(), list), err)
		}
		return errors.Join(print(cmd.OutOrStdout(), list), err)
	}
	return cmd
}

// limitFlag adds --limit to a verb; usage says of what.
func limitFlag(cmd *cobra.Command, limit int, usage string) *int {
	value := cmd.Flags().Int("limit", limit, usage)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if *value < 1 {
			return cli.Mistake(cmd, errors.New("--limit must be 1 or more"), "")
		}
		return nil
	}
	return value
}

// progress returns a function that prints a line to standard error, at most once a second. Short work prints none.
func progress(cmd *cobra.Command) func(format string, args ...any) {
	last := time.Now()
	return func(format string, args ...any) {
		if now := time.Now(); now.Sub(last) >= time.Second {
			last = now
			fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
		}
	}
}

// eachMailbox calls do with the mailboxes that addresses lead to, each once, or where there are none with those of each
// [[user]] and of all that is in a [[directory]]. What goes wrong with one is printed, and the others follow.
func eachMailbox(cmd *cobra.Command, file string, addresses []string,
	do func(*mailbox.Store, accountMailbox) error) error {
	c, err := cli.LoadConfig(file, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	agent, err := build.Agent(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return cli.Failed(err, "doorstep check tells what is wrong with the configuration")
	}
	failures, seen := 0, map[directory.Key]bool{}
	one := func(a *directory.Account, err error) {
		if err == nil && seen[a.Key] {
			return
		}
		if err == nil {
			seen[a.Key] = true
			var dest mailbox.Dest
			if dest, err = agent.Router.Inbox(a); err == nil {
				err = do(agent.Store, accountMailbox{a, dest})
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", address.Shown(a.Address), err)
			}
		}
		if err != nil {
			failures++
			fmt.Fprintf(cmd.ErrOrStderr(), "doorstep: %v\n", err)
			if hint := cli.HintOf(err); hint != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "hint: %s\n", hint)
			}
		}
	}
	if len(addresses) > 0 {
		for _, text := range addresses {
			namedMailboxes(cmd.Context(), agent.Router.Resolver, text, one)
		}
	} else {
		allMailboxes(cmd.Context(), c, agent.Router.Resolver, one)
	}
	err = errors.Join(err, build.CloseAgent(cmd.Context(), agent), agent.Store.Close())
	if err == nil && failures > 0 {
		err = &cli.Failure{Code: cli.ExitFailure} // everything has been said
	}
	return err
}

// namedMailboxes finds the accounts of an address, also those that take no mail.
func namedMailboxes(ctx context.Context, r *route.Resolver, text string, one func(*directory.Account, error)) {
	to, err := address.Parser{UTF8: true}.ForwardPath(address.Unescape(text))
	if err != nil {
		one(nil, fmt.Errorf("address %q: %w", text, err))
		return
	}
	found, err := r.Resolve(ctx, to)
	for _, f := range found {
		if f.Account == nil {
			one(nil, fmt.Errorf("%s: %w", f.Target, f.Refused))
			continue
		}
		one(f.Account, nil)
	}
	if len(found) == 0 {
		one(nil, fmt.Errorf("%s: %w", text, err))
	}
}

// allMailboxes calls one with each [[user]], and with all accounts of each [[directory]].
func allMailboxes(ctx context.Context, c *config.Config, r *route.Resolver, one func(*directory.Account, error)) {
	for _, u := range c.Users {
		key, err := r.Key(u.Address)
		var entry directory.Entry
		if err == nil {
			entry, err = r.Directory.Lookup(ctx, key)
		}
		if err == nil && entry.Account == nil {
			continue // only an alias by now: another directory's account counts before it
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", u.Address.Log(), err)
		}
		one(entry.Account, err)
	}
	for _, d := range c.Directories {
		if err := build.EachAccount(ctx, d, r, one); err != nil {
			one(nil, cli.Failed(fmt.Errorf("directory %s: %w", d.Name, err), whyNotListed(err, d)))
		}
	}
}

// whyNotListed is what can be done about a directory whose accounts could not be read.
func whyNotListed(err error, d config.Directory) string {
	switch {
	case !errors.Is(err, directory.ErrNotListed):
		return "doorstep check tells what is wrong with the configuration"
	case d.Driver == config.LDAPDriver:
		return "write iterate_filter in its [[directory]], or name the addresses"
	case d.Driver == config.SystemAccounts:
		return "name the addresses"
	}
	return "write iterate_query in its [[directory]], or name the addresses"
}
