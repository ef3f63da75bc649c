package sql

import (
	"errors"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// accountColumns are those that account understands. What a user_query returns besides is kept in
// Account.Fields, for those who show it.
var accountColumns = []string{
	"address", "home", "mailbox", "prefix", "format", "quota", "messages", "uid", "gid", "active", "disabled",
	"owner_since", "eai", "local_key", "domain_key",
}

// account understands a row of user_query.
func (r row) account(key directory.Key) (*directory.Account, error) {
	a := &directory.Account{
		Address: r.text("address"), Key: key, Home: r.text("home"), Mailbox: r.text("mailbox"), Prefix: r.text("prefix"),
		Disabled: r.text("disabled"),
	}
	active, err := r.yes("active", true)
	if !active && a.Disabled == "" {
		a.Disabled = "reject"
	}
	var e error
	if a.Disabled == "" { // one that takes no mail is refused, whatever its format
		e = directory.CheckFormat(r.text("format"))
	}
	err = errors.Join(err, e)
	internationalized, e := r.yes("eai", true)
	err = errors.Join(err, e)
	a.ASCIIOnly = !internationalized
	a.Quota.Bytes, e = r.limit("quota")
	err = errors.Join(err, e)
	a.Quota.Messages, e = r.limit("messages")
	err = errors.Join(err, e)
	a.OwnerSince, e = r.moment("owner_since")
	err = errors.Join(err, e)
	a.Owner, e = directory.ParseOwner(strings.TrimSpace(r.text("uid")), strings.TrimSpace(r.text("gid")))
	if err = errors.Join(err, e); err != nil {
		return nil, directory.Broken(a.Address, "%w", err)
	}
	for name := range r {
		if slices.Contains(accountColumns, name) {
			continue
		}
		if a.Fields == nil {
			a.Fields = map[string]string{}
		}
		a.Fields[name] = r.text(name)
	}
	return a, a.Check()
}

// limit understands a column of a quota. -1 is no limit, as 0 is: panels such as PostfixAdmin store it where
// quotas are switched off.
func (r row) limit(column string) (int64, error) {
	n, err := r.number(column)
	if n == -1 {
		n = 0
	}
	return n, err
}

// targets understands a row of alias_query: one target or, as in Postfix's tables, several with
// commas between them. An alias that is not active is none.
func (r row) targets() ([]string, error) {
	if active, err := r.yes("active", true); !active || err != nil {
		return nil, err
	}
	text, err := r.need("target")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, target := range splitList(text) {
		if target = strings.TrimSpace(target); target != "" {
			list = append(list, target)
		}
	}
	return list, nil
}

// splitList splits at commas and line ends outside quotes: a quoted local part may have them.
func splitList(text string) (list []string) {
	quoted, from := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case (c == ',' || c == '\n') && !quoted:
			list = append(list, text[from:i])
			from = i + 1
		}
	}
	return append(list, text[from:])
}

// domain understands a row of domain_query, and says whether mail for it is ours: not for one
// that is switched off, nor for one that we only stand in for (backupmx).
func (r row) domain() (d directory.Domain, ours bool, err error) {
	name, err := r.need("name")
	active, e := r.yes("active", true)
	err = errors.Join(err, e)
	backup, e := r.yes("backupmx", false)
	return directory.Domain{Name: name, AliasOf: r.text("alias_of")}, active && !backup, errors.Join(err, e)
}
