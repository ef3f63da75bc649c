package build

import (
	"crypto/tls"
	"log/slog"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/ldap"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

func openLDAP(d config.Directory, key directory.Keyer, _ *slog.Logger) (directory.Directory, error) {
	o := ldap.Options{
		URLs: d.LDAP.URLs, StartTLS: d.LDAP.StartTLS, BindDN: d.LDAP.BindDN, Base: d.LDAP.Base,
		Password: func() (string, error) { return config.ReadPassword(d.Database.PasswordFile) },
		Schema:   ldapSchema(d), Key: key, Timeout: d.Timeout, Connections: d.Database.MaxConnections,
	}
	if d.Database.TLSCA != "" {
		authorities, err := keypair.Authorities(d.Database.TLSCA)
		if err != nil {
			return nil, err
		}
		o.TLS = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	return ldap.Open(o)
}

// ldapSchema is the one that the configuration names, with what else it says in place of its parts.
func ldapSchema(d config.Directory) ldap.Schema {
	s := ldap.Schema{Attributes: ldap.Attributes{Address: "mail"}}
	if d.Database.Schema == "iredmail" {
		s = ldap.IRedMail
	}
	for name, at := range map[string]*string{
		"user_filter": &s.UserFilter, "alias_filter": &s.AliasFilter, "catch_all_filter": &s.CatchAllFilter,
		"domain_filter": &s.DomainFilter, "iterate_filter": &s.IterateFilter,
	} {
		if own := d.LDAP.Filters[name]; own != "" {
			*at = own
		}
	}
	for name, at := range map[string]*string{
		"address": &s.Address, "other_addresses": &s.OtherAddresses, "target": &s.Target, "domain": &s.Domain,
		"home": &s.Home, "format": &s.Format, "quota": &s.Quota, "uid": &s.UID, "gid": &s.GID,
	} {
		if own := d.LDAP.Attributes[name+"_attribute"]; own != "" {
			*at = own
		}
	}
	if own := d.LDAP.Attributes["mailbox_attribute"]; own != "" {
		s.Mailbox, s.DefaultFolder = own, ""
	}
	return s
}
