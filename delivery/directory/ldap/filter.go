package ldap

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	client "github.com/go-ldap/ldap/v3"
)

// fill puts what is looked for into a filter. Every octet of it that could mean something there is
// escaped (RFC 4515 §3). Where the domain has another spelling, the filter is for either.
func fill(filter string, key directory.Key) string {
	filled := fillIn(filter, key.Local, key.Domain)
	if unicode := address.DomainUnicode(key.Domain); unicode != key.Domain {
		return "(|" + filled + fillIn(filter, key.Local, unicode) + ")"
	}
	return filled
}

func fillIn(filter, local, domain string) string {
	return strings.NewReplacer(
		"{address}", client.EscapeFilter(local+"@"+domain),
		"{local}", client.EscapeFilter(local),
		"{domain}", client.EscapeFilter(domain),
	).Replace(filter)
}

// placeholder is what looks like one. A brace that is meant can be written \7b.
var placeholder = regexp.MustCompile(`\{\w*\}`)

// CheckFilter says what is wrong with a filter for what is looked for, as an administrator wrote it.
func CheckFilter(filter string) error {
	if err := checkFilter(filter); err != nil {
		return err
	}
	if fillIn(filter, "u", "example.org") == filter {
		return errors.New("the filter names nothing to look for: {address}, {local} or {domain}")
	}
	return nil
}

// checkIterateFilter says what is wrong with a filter for all accounts.
func checkIterateFilter(filter string) error {
	if found := placeholder.FindString(filter); found != "" {
		return fmt.Errorf("it is for all accounts, and has no placeholder %s", found)
	}
	return checkFilter(filter)
}

func checkFilter(filter string) error {
	filled := fillIn(filter, "u", "example.org")
	if unknown := placeholder.FindString(filled); unknown != "" {
		return fmt.Errorf("unknown placeholder %s; there are {address}, {local} and {domain}", unknown)
	}
	if _, err := client.CompileFilter(filled); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), `LDAP Result Code 201 "Filter Compile Error": ldap: `))
	}
	return nil
}
