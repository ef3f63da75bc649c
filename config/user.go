package config

import (
	"cmp"
	"fmt"
	"time"

	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A User is one [[user]] table: an account in the file itself.
type User struct {
	Address address.Address
	Aliases []address.Address
	// Quota is in octets, and QuotaMessages in messages; 0 for none.
	Quota         int64
	QuotaMessages int64
	// Disabled is "", "defer" (450 4.2.1) or "reject" (550 5.2.1).
	Disabled string
	// EAI says that the mailbox takes internationalized mail (UTF8-11: else 550 5.6.9).
	EAI bool
	// Home is absolute, or "".
	Home string
	// Owner is the user whose mailbox it is, by name or number; "" if UID says it, or if it has no owner of its own.
	// UID and GID are numbers, 0 if they are not set.
	Owner    string
	UID, GID int
	// OwnerSince is when the account came to its present owner, the zero Time if that is unknown.
	OwnerSince time.Time
}

var userSection = table.Section[User]{
	Name: "user",
	Doc:  "An account.",
	Keys: []table.Key[User]{
		{Name: "address", Example: `"postmaster@example.org"`, Required: true,
			Kind: table.Parsed("an address", parseAddress, func(u *User) *address.Address { return &u.Address }),
			Doc:  "Its address, which also names its mailbox."},
		{Name: "aliases", Default: "[]", Example: `["alice@example.org", "用户@example.org"]`,
			Kind: table.ParsedList("addresses", nil, parseAddress, func(u *User) *[]address.Address { return &u.Aliases }),
			Doc:  "Other addresses of the same account, in any of the domains."},
		{Name: "quota", Kind: table.Size(1, 1<<50, func(u *User) *int64 { return &u.Quota }), Example: `"2GiB"`,
			Doc: "How much the mailbox may hold, all its folders together. Default: no limit."},
		{Name: "quota_messages", Example: "100000",
			Kind: table.Count(1, 1<<40, func(u *User) *int64 { return &u.QuotaMessages }),
			Doc:  "How many messages it may hold. Default: no limit."},
		{Name: "disabled", Example: `"defer"`,
			Kind: table.Word(func(u *User) *string { return &u.Disabled }, "defer", "reject"),
			Doc: "Refuse mail for this account: defer for now (450 4.2.1), or reject for good (550 5.2.1). Default: the " +
				"account is enabled."},
		{Name: "eai", Kind: table.Toggle(func(u *User) *bool { return &u.EAI }), Default: "true",
			Doc: "Whether the mailbox takes internationalized mail. false is for readers that cannot show it: a transaction " +
				"with SMTPUTF8 is refused with 550 5.6.9 at RCPT."},
		{Name: "home", Kind: table.Path(func(u *User) *string { return &u.Home }), Example: `"/home/alice"`,
			Doc: "Its home directory, for {home} in store.path."},
		{Name: "owner", Example: `"alice"`,
			Kind: table.Parsed("a user", parsePrincipal, func(u *User) *string { return &u.Owner }),
			Doc:  "The user of this machine whose mailbox it is; needs store.owners. Default: the user who runs the server."},
		{Name: "uid", Kind: table.Count(1, maxID, func(u *User) *int { return &u.UID }), Example: "1000",
			Doc: "The same by number, together with gid. The machine need not know the user."},
		{Name: "gid", Kind: table.Count(1, maxID, func(u *User) *int { return &u.GID }), Example: "1000",
			Doc: "The group by number. Default: that of owner."},
		{Name: "owner_since", Example: `"2014-04-03T23:01:00Z"`,
			Kind: table.Timestamp(func(u *User) *time.Time { return &u.OwnerSince }),
			Doc: "Since when the account has its present owner. If any account has this, RRVS is offered (RFC 7293): mail " +
				"for an earlier owner is refused with 550 5.7.17. A date alone stands for its end, in UTC."},
	},
}

// checkOwner checks what an account says of users of the machine.
func (u *User) checkOwner(t table.Table, s Store) {
	owner, uid, gid := t.Value("owner"), t.Value("uid"), t.Value("gid")
	switch {
	case owner == nil && uid == nil && gid == nil:
	case !s.Owners:
		first := cmp.Or(owner, uid, gid)
		first.AddKey("needs store.owners, which is false", "write owners = true in [store], or leave it out")
	case owner != nil && uid != nil:
		uid.AddKey("is said by owner already", "leave one of them out")
	case uid != nil && gid == nil:
		uid.AddKey("needs a gid", "write gid = …")
	case gid != nil && owner == nil && uid == nil:
		gid.AddKey("needs a uid, or an owner", "write uid = …")
	default:
		refuseSystemID(uid, u.UID, "store.first_valid_uid", s.FirstUID)
		refuseSystemID(gid, u.GID, "store.first_valid_gid", s.FirstGID)
	}
}

// refuseSystemID refuses a user or group of the system; 0 stands for none, or a problem already.
func refuseSystemID(v *table.Value, id int, bound string, lowest int) {
	if id != 0 && id < lowest {
		v.Add(fmt.Sprintf("%d is under %s, %d", id, bound, lowest), "mail must not be written as a user of the system")
	}
}
