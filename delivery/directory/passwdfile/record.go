package passwdfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// record understands one line.
//
//	user:password:uid:gid:gecos:home:shell:extra fields
//
// Of these the password, gecos and the shell are others' business. Extra fields are separated by
// spaces, each name=value or a name alone.
func record(line string, o Options, names *owners) (*directory.Account, error) {
	fields := strings.SplitN(line, ":", 8)
	name := fields[0]
	if !strings.Contains(name, "@") {
		if o.DefaultDomain == "" {
			return nil, fmt.Errorf("user %q has no domain, and there is no default_domain", name)
		}
		name += "@" + o.DefaultDomain
	}
	k, err := o.Key(name)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", name, err)
	}
	fields = append(fields, make([]string, 8-len(fields))...)
	a := &directory.Account{Address: name, Key: k, Home: fields[5]}
	if a.Owner, err = names.owner(fields[2], fields[3]); err != nil {
		return a, directory.Broken(name, "%v", err)
	}
	for extra := range strings.FieldsSeq(fields[7]) {
		if err := extraField(a, extra); err != nil {
			return a, directory.Broken(name, "%v", err)
		}
	}
	return a, a.Check()
}

// extraField takes one of Dovecot's extra fields, with or without the prefix userdb_. Those that
// are not about delivery are kept for who asks.
func extraField(a *directory.Account, extra string) error {
	name, value, _ := strings.Cut(extra, "=")
	short, isUser := strings.CutPrefix(name, "userdb_")
	switch short {
	case "mail", "mail_location":
		path, ok := strings.CutPrefix(value, "maildir:")
		if !ok {
			return fmt.Errorf("mail %q is no Maildir", value)
		}
		a.Mailbox, _, _ = strings.Cut(path, ":") // options, such as INDEX=, are for readers
		if rest, inHome := strings.CutPrefix(a.Mailbox, "~/"); inHome {
			if a.Home == "" {
				return fmt.Errorf("mail %q needs a home", value)
			}
			a.Mailbox = strings.TrimSuffix(a.Home, "/") + "/" + rest
		}
	case "mail_path":
		a.Mailbox = value
	case "quota_rule", "quota_storage_size":
		return quota(a, short, value)
	case "home":
		a.Home = value
	case "nodelivery":
		a.Disabled = "reject"
	default:
		if !isUser && short != "owner_since" {
			return nil // of the password database
		}
		if a.Fields == nil {
			a.Fields = map[string]string{}
		}
		a.Fields[short] = value
	}
	return nil
}

// quota understands Dovecot's rules for the whole mailbox.
//
//	quota_rule = ROOT ":" *( "storage=" size / "bytes=" number / "messages=" number )
func quota(a *directory.Account, name, value string) error {
	if name == "quota_storage_size" { // Dovecot 2.4
		n, err := size(value, 1)
		a.Quota.Bytes = n
		return err
	}
	root, rule, ok := strings.Cut(value, ":")
	if !ok || root != "*" {
		return nil // for some folder
	}
	for limit := range strings.SplitSeq(rule, ":") {
		what, number, _ := strings.Cut(limit, "=")
		var err error
		switch what {
		case "storage":
			a.Quota.Bytes, err = size(number, 1<<10)
		case "bytes":
			a.Quota.Bytes, err = size(number, 1)
		case "messages":
			a.Quota.Messages, err = size(number, 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// units are Dovecot's, all powers of 1024.
var units = map[byte]int64{'b': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30, 't': 1 << 40}

// size understands a number with a unit, or without one where unit counts.
func size(text string, unit int64) (int64, error) {
	digits := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(strings.TrimSpace(text)), "ib"), "b")
	if digits != "" {
		if u, ok := units[digits[len(digits)-1]]; ok {
			digits, unit = digits[:len(digits)-1], u
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size", text)
	}
	return n * unit, nil
}
