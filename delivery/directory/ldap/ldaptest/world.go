package ldaptest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An Entry is one entry in LDIF: its parent is Base.
func Entry(class, name, value string, attributes ...string) string {
	var b strings.Builder
	line := func(name, value string) {
		if strings.TrimLeft(value, " :<") == value && !strings.ContainsFunc(value, unicode.IsControl) {
			fmt.Fprintf(&b, "%s: %s\n", name, value) // slapadd takes UTF-8, which RFC 2849 does not
		} else {
			fmt.Fprintf(&b, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	line("dn", name+"="+escapeDN(value)+","+Base)
	line("objectClass", class)
	line(name, value)
	for i := 0; i < len(attributes); i += 2 {
		line(attributes[i], attributes[i+1])
	}
	return b.String() + "\n"
}

// escapeDN escapes a value in a DN (RFC 4514 §2.4).
func escapeDN(value string) string {
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; strings.IndexByte(` "#+,;<=>\`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// IRedMail returns a world as iRedMail would have it, with all homes below root. "" leaves the world its own, and puts
// the others where iRedMail has them.
func IRedMail(w directorytest.World, root string) string {
	var b strings.Builder
	for _, name := range w.Domains {
		attributes := []string{"accountStatus", "active", "enabledService", "mail"}
		for other, of := range w.DomainAliases {
			if of == name {
				attributes = append(attributes, "domainAliasName", other, "enabledService", "domainalias")
			}
		}
		b.WriteString(Entry("mailDomain", "domainName", name, attributes...))
	}
	for _, a := range w.Accounts {
		status := "active"
		if a.Off {
			status = "disabled"
		}
		attributes := append([]string{"accountStatus", status}, enabled...)
		add := func(name, value string) {
			if value != "" {
				attributes = append(attributes, name, value)
			}
		}
		add("homeDirectory", home(a, root))
		add("mailMessageStore", a.Mailbox)
		if a.Quota.Bytes > 0 {
			add("mailQuota", fmt.Sprint(a.Quota.Bytes))
		}
		if a.Owner != nil {
			add("ownerUid", fmt.Sprint(a.Owner.UID))
			add("ownerGid", fmt.Sprint(a.Owner.GID))
		}
		if a.Broken {
			add("mailQuota", "-5")
			add("ownerUid", "x")
		}
		b.WriteString(Entry("mailUser", "mail", a.Address, attributes...))
	}
	for alias, targets := range w.Aliases {
		attributes := append([]string{"accountStatus", "active"}, enabled...)
		for _, target := range targets {
			attributes = append(attributes, "mailForwardingAddress", target)
		}
		b.WriteString(Entry("mailAlias", "mail", alias, attributes...))
	}
	for domain, target := range w.CatchAlls {
		b.WriteString(Entry("mailUser", "mail", "@"+domain, "accountStatus", "active", "mailForwardingAddress", target))
	}
	return b.String()
}

// home is that of an account.
func home(a directorytest.Account, root string) string {
	if root == "" && a.Home != "" {
		return a.Home
	}
	who, err := address.Parse(a.Address)
	if err != nil {
		panic(err)
	}
	domain, err := address.DomainKey(who.Domain)
	if err != nil {
		panic(err)
	}
	return path.Join(cmp.Or(root, "/var/vmail/vmail1"), domain, who.Local) + "/"
}

// enabled are services of accounts and aliases.
var enabled = []string{"enabledService", "mail", "enabledService", "deliver", "enabledService", "lmtp",
	"enabledService", "lda", "enabledService", "imap", "enabledService", "imapsecured", "enabledService", "shadowaddress"}
