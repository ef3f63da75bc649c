package config

import (
	"math"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A System says which accounts of the operating system have mail. The file that has them, if it is not getent that is
// asked, is the Directory's.
type System struct {
	// Domains are those whose local parts are names of accounts.
	Domains []string
	// FirstUID and LastUID bound the accounts with mail.
	FirstUID, LastUID int
	// RefusedShells are those of accounts that take no mail.
	RefusedShells []string
	// Canary is an account that must be there; "" for none.
	Canary string
}

// systemKeys are the keys of a [[directory]] of system accounts.
var systemKeys = []table.Key[System]{
	{Name: "domains", Kind: table.ParsedList("domains", table.NotEmpty("no domain is named", ""), parseDomainName,
		func(s *System) *[]string { return &s.Domains }),
		Example: `["example.org"]`,
		Doc:     "The domains whose local parts are names of accounts."},
	{Name: "first_valid_uid", Default: "1000",
		Kind: table.Count(1, math.MaxInt32, func(s *System) *int { return &s.FirstUID }),
		Doc:  "Accounts below are the system's own, and have no mail."},
	{Name: "last_valid_uid", Default: "60000",
		Kind: table.Count(1, math.MaxInt32, func(s *System) *int { return &s.LastUID }),
		Doc:  "So are accounts above."},
	{Name: "refused_shells", Kind: table.ParsedList("paths", nil, parseAnything,
		func(s *System) *[]string { return &s.RefusedShells }),
		Default: "[]", Example: `["/usr/sbin/nologin", "/bin/false"]`,
		Doc: "Login shells of accounts that take no mail."},
	{Name: "canary", Example: `"canary"`,
		Kind: table.Parsed("an account", parseAnything, func(s *System) *string { return &s.Canary }),
		Doc: "An account that must exist. While it is missing, no account is taken to be unknown: getent cannot tell a " +
			"missing account from a service that is down."},
}

// checkSystemAccounts checks the range of users.
func (d *Directory) checkSystemAccounts(t table.Table) {
	if v := t.Value("last_valid_uid"); v != nil && d.System.LastUID < d.System.FirstUID {
		v.Add("is below first_valid_uid: no account has mail", "")
	}
}
