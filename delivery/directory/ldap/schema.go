package ldap

import (
	"maps"
	"slices"
)

// A Schema says how accounts, aliases and domains are found, and what is known of them. "" is for what the directory
// does not know.
//
// A domain that has two spellings is looked for in both.
type Schema struct {
	Filters
	Attributes
	// DefaultFolder is the Maildir below the home of an account without the attribute Folder; "" where the mail is
	// not in homes. With it, an account without a home makes no sense.
	DefaultFolder string
	// LowerHomes says that homes are in lower case, whatever the attribute says.
	LowerHomes bool
	// Active is the value of the attribute Status of an account that takes mail.
	Active string
	// Needed are lists of values, of each of which the attribute Services must have one.
	Needed [][]string
}

// Filters are written as in RFC 4515; {address}, {local} and {domain} stand for what is looked for.
type Filters struct {
	// UserFilter finds accounts, AliasFilter what stands for other addresses. CatchAllFilter
	// finds what stands for all other addresses of {domain}, as the address "@domain", and
	// DomainFilter domains.
	UserFilter, AliasFilter, CatchAllFilter, DomainFilter string
	// IterateFilter finds all accounts, and has no placeholders.
	IterateFilter string
}

// Attributes are names of attributes.
type Attributes struct {
	// Address has the account's own address, OtherAddresses further ones that lead to it.
	Address, OtherAddresses string
	// Target has the addresses that an alias stands for.
	Target string
	// Domain has the name of a domain, DomainAlias its other names.
	Domain, DomainAlias string
	// Home has an absolute path. Mailbox has the path of the Maildir; Folder has its path below the home, for accounts
	// without one.
	Home, Mailbox, Folder string
	// Format has the format of the mailbox (directory.CheckFormat).
	Format string
	// Quota has a number of octets.
	Quota string
	// UID and GID have numbers.
	UID, GID string
	// Status has the state of an account, Services what it is for.
	Status, Services string
}

// IRedMail is the schema of iRedMail's OpenLDAP: accounts are mailUser, aliases mailAlias, domains
// mailDomain. Base is "o=domains,…". Paths are as its Dovecot has them (dovecot-ldap.conf):
// storageBaseDirectory and mailMessageStore are remnants since iRedMail 0.9.8, and new accounts lack them.
// Postfix asks for the service deliver, and Dovecot for lmtp or lda.
var IRedMail = Schema{
	Filters: Filters{
		UserFilter: "(&(objectClass=mailUser)(!(domainStatus=disabled))" +
			"(|(mail={address})(&(enabledService=shadowaddress)(shadowAddress={address}))))",
		AliasFilter: "(&(objectClass=mailAlias)(accountStatus=active)(!(domainStatus=disabled))" +
			"(enabledService=mail)(enabledService=deliver)" +
			"(|(mail={address})(&(enabledService=shadowaddress)(shadowAddress={address}))))",
		CatchAllFilter: "(&(objectClass=mailUser)(accountStatus=active)(!(domainStatus=disabled))(mail=@{domain}))",
		DomainFilter: "(&(objectClass=mailDomain)(accountStatus=active)(enabledService=mail)(!(domainBackupMX=yes))" +
			"(|(domainName={domain})(&(enabledService=domainalias)(domainAliasName={domain}))))",
		IterateFilter: "(&(objectClass=mailUser)(!(mail=@*)))",
	},
	Attributes: Attributes{
		Address: "mail", OtherAddresses: "shadowAddress", Target: "mailForwardingAddress",
		Domain: "domainName", DomainAlias: "domainAliasName",
		Home: "homeDirectory", Folder: "mailboxFolder", Format: "mailboxFormat",
		Quota: "mailQuota", Status: "accountStatus", Services: "enabledService",
	},
	DefaultFolder: "Maildir", LowerHomes: true,
	Active: "active", Needed: [][]string{{"mail"}, {"deliver"}, {"lmtp", "lda"}},
}

// all returns the filters that there are, by what they find.
func (f Filters) all() map[string]string {
	filters := map[string]string{
		"user filter": f.UserFilter, "alias filter": f.AliasFilter, "catch-all filter": f.CatchAllFilter,
		"domain filter": f.DomainFilter,
	}
	maps.DeleteFunc(filters, func(_, filter string) bool { return filter == "" })
	return filters
}

// all returns the attributes to ask for.
func (a Attributes) all() []string {
	names := []string{a.Address, a.OtherAddresses, a.Target, a.Domain, a.DomainAlias, a.Home, a.Mailbox, a.Folder,
		a.Format, a.Quota, a.UID, a.GID, a.Status, a.Services}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}
