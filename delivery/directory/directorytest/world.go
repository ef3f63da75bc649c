package directorytest

import (
	"fmt"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A World is what a backend is filled with. Addresses are as administrators write them.
type World struct {
	Domains       []string
	DomainAliases map[string]string // the other name, and the domain
	Accounts      []Account
	Aliases       map[string][]string
	CatchAlls     map[string]string // by domain
}

// An Account is a mailbox.
type Account struct {
	Address string
	Home    string
	Mailbox string // as directory.Account.Mailbox
	Quota   directory.Quota
	Owner   *directory.Owner
	Off     bool // takes no mail; the backend says "defer" or "reject"
	Broken  bool // the backend writes a record that makes no sense: a quota of -5, a uid of x
}

// Standard is the world of the suite.
var Standard = World{
	Domains:       []string{"dst.example", "例え.example", "other.example"},
	DomainAliases: map[string]string{"alias.example": "dst.example"},
	Accounts: []Account{
		{Address: "alice@dst.example", Home: "/srv/home/alice", Quota: directory.Quota{Bytes: 1 << 30, Messages: 1000}},
		{Address: "bob@dst.example", Home: "/srv/home/bob", Owner: &directory.Owner{UID: 5001, GID: 5002}},
		{Address: "carol@dst.example", Mailbox: "dst.example/c/carol/Maildir"},
		{Address: "o'hara@dst.example"},
		{Address: "50%_off@dst.example"},
		{Address: "用户@例え.example"},
		{Address: "josé@dst.example"},
		{Address: "off@dst.example", Off: true},
		{Address: "broken@dst.example", Broken: true},
		{Address: "alice@other.example"},
	},
	Aliases: map[string][]string{
		"sales@dst.example": {"alice@dst.example"},
		"team@dst.example":  {"alice@dst.example", "bob@dst.example", "alice@other.example"},
	},
	CatchAlls: map[string]string{"other.example": "alice@other.example"},
}

// Key is a directory.Keyer that folds case, as domains do by default.
func Key(text string) (directory.Key, error) {
	a, err := address.Parser{UTF8: true}.ForwardPath(text)
	if err != nil {
		return directory.Key{}, err
	}
	domain, err := address.DomainKey(a.Domain)
	if err != nil {
		return directory.Key{}, err
	}
	local, err := address.LocalPolicy{Fold: true}.Key(a.Local)
	return directory.Key{Local: local, Domain: domain}, err
}

// mustKey is Key for the suite's own addresses; "@domain" asks for the catch-all.
func mustKey(text string) directory.Key {
	if domain, ok := strings.CutPrefix(text, "@"); ok {
		return directory.Key{Domain: domain}
	}
	key, err := Key(text)
	if err != nil {
		panic(fmt.Sprintf("directorytest: %s: %v", text, err))
	}
	return key
}
