package ldap

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// record understands the entry of an account that was found by a key. What makes no sense in it
// is reported with the account, and concerns no other.
func (d *Directory) record(e *client.Entry, asked directory.Key) (*directory.Account, error) {
	s := d.options.Schema
	value := func(name string) string {
		if name == "" {
			return ""
		}
		return strings.TrimSpace(e.GetEqualFoldAttributeValue(name))
	}
	a := &directory.Account{Address: value(s.Address), Home: value(s.Home)}
	var err error
	if a.Key, err = d.options.Key(a.Address); err != nil {
		return nil, directory.Broken(asked.String(), "%s: %s is %q: %v", e.DN, s.Address, a.Address, err)
	}
	broken := func(name string, err error) (*directory.Account, error) {
		return nil, directory.Broken(a.Address, "%s: %s: %v", e.DN, name, err)
	}
	if a.Quota.Bytes, err = number(value(s.Quota)); err != nil {
		return broken(s.Quota, err)
	}
	if a.Owner, err = directory.ParseOwner(value(s.UID), value(s.GID)); err != nil {
		return broken(s.UID+", "+s.GID, err)
	}
	if s.LowerHomes {
		a.Home = strings.ToLower(a.Home)
	}
	if s.Status != "" && !strings.EqualFold(value(s.Status), s.Active) ||
		!hasEach(e.GetEqualFoldAttributeValues(s.Services), s.Needed) {
		a.Disabled = "reject"
	} else if err := directory.CheckFormat(value(s.Format)); err != nil { // one that takes no mail is refused anyway
		return broken(s.Format, err)
	}
	a.Mailbox = value(s.Mailbox)
	switch inHome := a.Mailbox == "" && s.DefaultFolder != ""; {
	case inHome && a.Home != "":
		a.Mailbox = a.Home + "/" + cmp.Or(value(s.Folder), s.DefaultFolder)
	case inHome && a.Disabled == "":
		return nil, directory.Broken(a.Address, "%s has no %s", e.DN, s.Home)
	}
	if name := d.ambiguous(e); name != "" {
		return nil, directory.Broken(a.Address, "%s: %s has several values, which have no order: it must have one",
			e.DN, name)
	}
	if err := a.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", e.DN, err)
	}
	return a, nil
}

// ambiguous returns the attribute by which the mailbox is and that has several values: the home and the mailbox, or the
// address where there is neither. LDAP keeps values in no order (RFC 4511 §4.1.7): after a change, or on another
// server, another one may be the first.
func (d *Directory) ambiguous(e *client.Entry) string {
	place := ""
	for _, name := range []string{d.options.Schema.Home, d.options.Schema.Mailbox} {
		values := e.GetEqualFoldAttributeValues(name)
		if slices.ContainsFunc(values, func(v string) bool { return v != values[0] }) {
			return name
		}
		if len(values) > 0 {
			place = name
		}
	}
	own := map[directory.Key]bool{}
	for _, value := range e.GetEqualFoldAttributeValues(d.options.Schema.Address) {
		if key, err := d.options.Key(strings.TrimSpace(value)); err == nil {
			own[key] = true
		}
	}
	if place == "" && len(own) > 1 {
		return d.options.Schema.Address
	}
	return ""
}

// number understands a number that may be missing.
func number(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number from 0 to %d", text, math.MaxInt64)
	}
	return int64(n), nil
}

// hasEach reports whether the values have one of each list.
func hasEach(values []string, lists [][]string) bool {
	for _, list := range lists {
		if !slices.ContainsFunc(values, func(value string) bool {
			return slices.ContainsFunc(list, func(wanted string) bool { return strings.EqualFold(value, wanted) })
		}) {
			return false
		}
	}
	return true
}
