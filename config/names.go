package config

import (
	"fmt"
	"os"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// delimiters are the characters that may separate a detail: what can stand in a local part
// without quotes, letters and digits left out (RFC 5321 §4.1.2).
const delimiters = "!#$%&'*+-./=?^_`{|}~"

// A domainName is a name of a domain, and where the file gives it.
type domainName struct {
	place  place
	name   string
	key    string
	domain int // index in Config.Domains
}

// A mailbox is an address of a user or an alias, and where the file gives it.
type mailbox struct {
	place   place
	address address.Address
	user    int // index in Config.Users, noUser for an [[alias]]
}

// noUser is the user of an address that stands for others.
const noUser = -1

// isAccount reports whether m is the address of a user itself, and no alias.
func (r *reader) isAccount(m mailbox) bool {
	return m.user != noUser && m.address == r.config.Users[m.user].Address
}

func beginDomain(r *reader) int {
	r.config.Domains = append(r.config.Domains, Domain{})
	last := len(r.config.Domains) - 1
	r.domain = &r.config.Domains[last]
	return last
}

func beginUser(r *reader) int {
	r.config.Users = append(r.config.Users, User{})
	last := len(r.config.Users) - 1
	r.user = &r.config.Users[last]
	return last
}

// ignoreLength begins a list that may have any length.
func ignoreLength(*reader, value, int) {}

func readHostname(r *reader, v value, s string) {
	if _, ok := r.readDomain(v, s); ok {
		r.config.Hostname = s
		if !strings.Contains(s, ".") && s != "localhost" {
			r.problems.warn(v.place(), quote(s)+" has no dot: others cannot tell which machine that is", `write the whole name, such as "mail.example.org"`)
		}
	}
}

// machine gives Hostname its default.
func (r *reader) machine(file *document) {
	if _, said := r.said["hostname"]; said {
		return
	}
	at := place{file, -1, "hostname"}
	name, err := os.Hostname()
	if err != nil {
		r.problems.add(at, "ask for the machine's name: "+err.Error(), `write hostname = "mail.example.org"`)
		return
	}
	if _, err := address.DomainKey(name); err != nil {
		r.problems.add(at, "the machine's name "+quote(name)+" is not a host name", `write hostname = "mail.example.org"`)
		return
	}
	r.config.Hostname = name
}

func readDomainName(r *reader, v value, s string) {
	if key, ok := r.readDomain(v, s); ok {
		r.domain.Name = s
		r.domain.Keys = append([]string{key}, r.domain.Keys...)
		r.domains = append(r.domains, domainName{v.place(), s, key, len(r.config.Domains) - 1})
	}
}

func readDomainAlias(r *reader, v value, s string) {
	if key, ok := r.readDomain(v, s); ok {
		r.domain.Aliases = append(r.domain.Aliases, s)
		r.domain.Keys = append(r.domain.Keys, key)
		r.domains = append(r.domains, domainName{v.place(), s, key, len(r.config.Domains) - 1})
	}
}

// readDomain returns the key of a domain name, and whether it is one.
func (r *reader) readDomain(v value, s string) (string, bool) {
	key, err := address.DomainKey(s)
	switch {
	case err != nil:
		r.problems.add(v.place(), quote(s)+" is not a domain: "+cause(err), "")
	case strings.HasPrefix(s, "["):
		r.problems.add(v.place(), "must be a name, not an address literal", "")
	case strings.HasSuffix(s, "."):
		r.problems.add(v.place(), quote(s)+" ends in a dot", "write "+quote(strings.TrimSuffix(s, ".")))
	default:
		return key, true
	}
	return "", false
}

func readDelimiter(r *reader, v value, s string) {
	switch {
	case len(s) != 1 || !strings.Contains(delimiters, s):
		r.problems.add(v.place(), quote(s)+" is not a delimiter", "one of "+delimiters)
	case strings.Contains(r.domain.Subaddress, s):
		r.problems.add(v.place(), quote(s)+" is there twice", "")
	default:
		r.domain.Subaddress += s
	}
}

func readPostmaster(r *reader, v value, s string) { r.readAddress(v, s, &r.config.Postmaster) }

func readCatchAll(r *reader, v value, s string) { r.readAddress(v, s, &r.domain.CatchAll) }

func readUserAddress(r *reader, v value, s string) {
	if r.readAddress(v, s, &r.user.Address) {
		r.mailboxes = append(r.mailboxes, mailbox{v.place(), r.user.Address, len(r.config.Users) - 1})
	}
}

func readUserAlias(r *reader, v value, s string) {
	var alias address.Address
	if r.readAddress(v, s, &alias) {
		r.user.Aliases = append(r.user.Aliases, alias)
		r.mailboxes = append(r.mailboxes, mailbox{v.place(), alias, len(r.config.Users) - 1})
	}
}

// readAddress parses s and reports whether it is an address that can be an account's.
func (r *reader) readAddress(v value, s string, to *address.Address) bool {
	a, err := address.Parse(s)
	if err == nil {
		_, err = address.DomainKey(a.Domain)
	}
	if err == nil {
		// The domain's own policy can only unite more spellings; what has no key here has
		// none there.
		_, err = address.LocalPolicy{}.Key(a.Local)
	}
	if err != nil {
		hint := ""
		if inner := strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">"); inner != s {
			hint = "write it without < and >"
		} else if !strings.Contains(s, "@") {
			hint = "write local@domain"
		}
		r.problems.add(v.place(), fmt.Sprintf("%s is not an address: %s", quote(s), cause(err)), hint)
		return false
	}
	*to = a
	return true
}

// cause is the text of an error of package address without what the problem says already.
func cause(err error) string {
	text := strings.TrimPrefix(err.Error(), address.ErrSyntax.Error()+": ")
	return strings.TrimPrefix(text, address.ErrNoKey.Error()+": ")
}
