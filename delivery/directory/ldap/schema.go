package ldap

import (
	"slices"
)

// A Schema says how accounts, aliases and domains are found: filters (RFC 4515), in which
// {address}, {local} and {domain} stand for what is looked for, and names of attributes. "" is for
// what the directory does not know.
//
// A domain that has two spellings is looked for in both.
type Schema struct {
	// UserFilter finds accounts, AliasFilter what stands for other addresses. CatchAllFilter
	// finds what stands for all other addresses of {domain}, as the address "@domain", and
	// DomainFilter domains.
	UserFilter, AliasFilter, CatchAllFilter, DomainFilter string

	// Address is the attribute with the account's own address, OtherAddresses with further ones
	// that lead to it.
	Address, OtherAddresses string
	// Target has the addresses that an alias stands for.
	Target string
	// Domain has the name of a domain, DomainAlias its other names.
	Domain, DomainAlias string

	// Home is absolute. Mailbox is the path of the Maildir, below MailboxBase where that is set,
	// and MailboxSuffix below it.
	Home, Mailbox, MailboxBase, MailboxSuffix string
	// Quota is in octets.
	Quota string
	// UID and GID are numbers.
	UID, GID string
	// Status has Active where the account takes mail; Services has one of each of the lists of
	// Needed.
	Status, Active string
	Services       string
	Needed         [][]string
}

// IRedMail is the schema of iRedMail's OpenLDAP: accounts are mailUser, aliases mailAlias, domains
// mailDomain. Base is "o=domains,…".
var IRedMail = Schema{
	UserFilter: "(&(objectClass=mailUser)(|(mail={address})(&(enabledService=shadowaddress)(shadowAddress={address}))))",
	AliasFilter: "(&(objectClass=mailAlias)(accountStatus=active)(enabledService=mail)(enabledService=deliver)" +
		"(|(mail={address})(&(enabledService=shadowaddress)(shadowAddress={address}))))",
	CatchAllFilter: "(&(objectClass=mailUser)(accountStatus=active)(mail=@{domain}))",
	DomainFilter: "(&(objectClass=mailDomain)(accountStatus=active)(enabledService=mail)(!(domainBackupMX=yes))" +
		"(|(domainName={domain})(&(enabledService=domainalias)(domainAliasName={domain}))))",
	Address: "mail", OtherAddresses: "shadowAddress", Target: "mailForwardingAddress",
	Domain: "domainName", DomainAlias: "domainAliasName",
	Home: "homeDirectory", Mailbox: "mailMessageStore", MailboxBase: "storageBaseDirectory", MailboxSuffix: "Maildir",
	Quota:  "mailQuota",
	Status: "accountStatus", Active: "active",
	Services: "enabledService", Needed: [][]string{{"mail"}, {"lmtp", "deliver", "lda"}},
}

// filters are those that there are.
func (s Schema) filters() map[string]string {
	filters := map[string]string{}
	for what, filter := range map[string]string{
		"user filter": s.UserFilter, "alias filter": s.AliasFilter, "catch-all filter": s.CatchAllFilter,
		"domain filter": s.DomainFilter,
	} {
		if filter != "" {
			filters[what] = filter
		}
	}
	return filters
}

// addresses are the attributes with addresses.
func (s Schema) addresses() []string { return []string{s.Address, s.OtherAddresses} }

// attributes are all that are asked for.
func (s Schema) attributes() []string {
	names := []string{s.Address, s.OtherAddresses, s.Target, s.Domain, s.DomainAlias, s.Home, s.Mailbox, s.MailboxBase,
		s.Quota, s.UID, s.GID, s.Status, s.Services}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}
