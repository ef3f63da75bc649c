package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
)

// userCommand looks after accounts.
func userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, change, delete and list accounts of the database",
		Long: "User looks after the accounts in the SQLite database of the configuration. A running server\n" +
			"sees a change at once. Passwords are not kept here: those are a matter of your IMAP server.",
	}
	cmd.AddCommand(userAddCommand(), userSetCommand(), userDelCommand(), userListCommand())
	return cmd
}

// userFields are what the flags of user add and user set change.
var userFields = []struct {
	flag, Usage string
	set         func(a *directory.Account, text string) error
	words       []string // where it is one of these
}{
	{"quota", "what the mailbox may hold: a `size` such as 2GiB; 0 for no limit",
		func(a *directory.Account, text string) (err error) {
			a.Quota.Bytes, err = config.ParseSize(text)
			return err
		}, nil},
	{"messages", "how many messages the mailbox may hold, a `number`; 0 for no limit",
		func(a *directory.Account, text string) (err error) {
			a.Quota.Messages, err = strconv.ParseInt(text, 10, 64)
			if err != nil || a.Quota.Messages < 0 {
				return fmt.Errorf("%q is not a number of messages", text)
			}
			return nil
		}, nil},
	{"home", "the `path` of the home directory, for {home} in store.path", func(a *directory.Account, text string) error {
		a.Home = text
		return nil
	}, nil},
	{"mailbox", "the `path` of the Maildir, where it is not where store.path says: below the root of the store",
		func(a *directory.Account, text string) error {
			a.Mailbox = text
			return nil
		}, nil},
	{"uid", "the `user` who owns the mailbox, by name or number; none for the user who runs the server",
		setOwner(config.UserID, func(o *directory.Owner) *uint32 { return &o.UID }), nil},
	{"gid", "the `group` that owns the mailbox, by name or number",
		setOwner(config.GroupID, func(o *directory.Owner) *uint32 { return &o.GID }), nil},
	{"disabled", "refuse mail: defer for now, reject for good; no takes it again",
		func(a *directory.Account, text string) error {
			if text == "no" {
				text = ""
			}
			a.Disabled = text
			return nil
		}, []string{"defer", "reject", "no"}},
	{"owner-since", "since when the mailbox has its present owner: 2014-04-03T23:01:00Z, or a date, which stands for " +
		"its end; none where that is not known", setOwnerSince, nil},
	{"eai", "whether the mailbox takes internationalized mail", func(a *directory.Account, text string) error {
		a.ASCIIOnly = text == "false"
		return nil
	}, []string{"true", "false"}},
}

// setOwner sets one half of the owner.
func setOwner(id func(string) (int, error),
	half func(*directory.Owner) *uint32) func(*directory.Account, string) error {
	return func(a *directory.Account, text string) error {
		if text == "none" {
			a.Owner = nil
			return nil
		}
		n, err := id(text)
		if err != nil {
			return err
		}
		owner := directory.Owner{}
		if a.Owner != nil {
			owner = *a.Owner
		}
		*half(&owner) = uint32(n)
		a.Owner = &owner
		return nil
	}
}

func setOwnerSince(a *directory.Account, text string) error {
	if text == "none" {
		a.OwnerSince = time.Time{}
		return nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		a.OwnerSince = t.UTC()
		return nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return fmt.Errorf("%q is not a time; write 2014-04-03T23:01:00Z, or a date", text)
	}
	a.OwnerSince = day.AddDate(0, 0, 1)
	return nil
}

// fieldFlags adds the flags of userFields to a verb.
func fieldFlags(cmd *cobra.Command) {
	for _, f := range userFields {
		if f.words != nil {
			cmd.Flags().Var(&cli.Choice{Word: new(string), Words: f.words}, f.flag, f.Usage)
			continue
		}
		cmd.Flags().String(f.flag, "", f.Usage)
	}
}

// edit applies the flags that were given to an account.
func edit(cmd *cobra.Command, a *directory.Account) error {
	owned := a.Owner != nil
	for _, f := range userFields {
		flag := cmd.Flags().Lookup(f.flag)
		if !flag.Changed {
			continue
		}
		if err := f.set(a, flag.Value.String()); err != nil {
			return cli.Mistake(cmd, fmt.Errorf("--%s: %w", f.flag, err), "")
		}
	}
	given := func(name string) bool { return cmd.Flags().Changed(name) }
	if a.Owner != nil && !owned && given("uid") != given("gid") {
		return cli.Mistake(cmd, errors.New("--uid and --gid belong together"), "")
	}
	return nil
}

func userAddCommand() *cobra.Command {
	var a directory.Account
	cmd := &cobra.Command{
		Use:     "add ADDRESS",
		Short:   "Add an account",
		Example: "  doorstep user add alice@example.org --quota 2GiB\n  doorstep user add 用户@例え.example",
		Args:    cli.OneArgument("ADDRESS"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			a.Address = address.Unescape(args[0])
			return edit(cmd, &a)
		},
	}
	fieldFlags(cmd)
	return databaseVerb(cmd, sqlite.Edit, func(ctx context.Context, s managed, _ []string) error {
		if err := s.claim(ctx, a.Address); err != nil {
			return err
		}
		return s.AddAccount(ctx, a)
	})
}

func userSetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set ADDRESS",
		Short:   "Change what the flags say of an account",
		Example: "  doorstep user set alice@example.org --quota 5GiB\n  doorstep user set alice@example.org --disabled defer",
		Args:    cli.OneArgument("ADDRESS"),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			for _, f := range userFields {
				if cmd.Flags().Changed(f.flag) {
					return nil
				}
			}
			return cli.Mistake(cmd, errors.New("nothing to change"), "")
		},
	}
	fieldFlags(cmd)
	return databaseVerb(cmd, sqlite.Edit, func(ctx context.Context, s managed, args []string) error {
		return s.SetAccount(ctx, address.Unescape(args[0]), func(a *directory.Account) error { return edit(cmd, a) })
	})
}

func userDelCommand() *cobra.Command {
	var force bool
	cmd := databaseVerb(&cobra.Command{
		Use:   "del ADDRESS…",
		Short: "Delete accounts, and leave their mail where it is",
		Long: "Del deletes accounts. One that an alias, a catch-all or the postmaster leads to stays, unless --force\n" +
			"deletes it all the same. Mail stays where it is.",
		Args: cli.AtLeast(1, "ADDRESS"),
	}, sqlite.Edit, func(ctx context.Context, s managed, args []string) error {
		for _, name := range unescaped(args) {
			if err := s.checkUnused(ctx, "account", name, force); err != nil {
				return err
			}
			if err := s.DeleteAccount(ctx, name); err != nil {
				return err
			}
		}
		return nil
	})
	cmd.Flags().BoolVar(&force, "force", false, "also accounts that others lead to")
	return cmd
}

func userListCommand() *cobra.Command {
	return listVerb(&cobra.Command{
		Use:   "list [DOMAIN]",
		Short: "List accounts, of all domains or one",
		Args:  cli.AtMostOneArgument,
	}, listUsers, func(u listedUser) string {
		row := u.Address + "\t" + quotaText(u)
		if u.Disabled != "" {
			row += "\t" + u.Disabled
		}
		return row
	})
}

// A listedUser is an account in the JSON of user list.
type listedUser struct {
	Address    string     `json:"address"`
	Quota      int64      `json:"quota,omitempty"`
	Messages   int64      `json:"messages,omitempty"`
	Home       string     `json:"home,omitempty"`
	Mailbox    string     `json:"mailbox,omitempty"`
	UID        *uint32    `json:"uid,omitempty"`
	GID        *uint32    `json:"gid,omitempty"`
	Disabled   string     `json:"disabled,omitempty"`
	OwnerSince *time.Time `json:"owner_since,omitempty"`
	EAI        bool       `json:"eai"`
}

func listUser(a directory.Account) listedUser {
	u := listedUser{
		Address: address.Shown(a.Address), Quota: a.Quota.Bytes, Messages: a.Quota.Messages, Home: a.Home, Mailbox: a.Mailbox,
		Disabled: a.Disabled, EAI: !a.ASCIIOnly,
	}
	if a.Owner != nil {
		u.UID, u.GID = &a.Owner.UID, &a.Owner.GID
	}
	if !a.OwnerSince.IsZero() {
		u.OwnerSince = &a.OwnerSince
	}
	return u
}

func listUsers(ctx context.Context, s managed, args []string) (list []listedUser, err error) {
	for a, err := range s.Accounts(ctx, cli.First(args)) {
		if err != nil {
			return nil, err
		}
		list = append(list, listUser(a))
	}
	return list, nil
}

// quotaText is a quota for people.
func quotaText(u listedUser) string {
	if u.Quota == 0 {
		return "no quota"
	}
	return config.FormatSize(u.Quota)
}
