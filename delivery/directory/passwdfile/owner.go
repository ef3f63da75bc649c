package passwdfile

import (
	"fmt"
	"os/user"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// owners finds the numbers of users and groups that lines name, as HestiaCP's do. It remembers them for
// one reading of the file: each question reads all of /etc/passwd.
type owners struct{ users, groups map[string]string }

func newOwners() *owners { return &owners{map[string]string{}, map[string]string{}} }

// owner understands uid and gid, as numbers or as names: both are there or neither.
func (o *owners) owner(uid, gid string) (*directory.Owner, error) {
	u, err := number(uid, o.users, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err != nil {
		return nil, fmt.Errorf("uid %q: %w", uid, err)
	}
	g, err := number(gid, o.groups, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	if err != nil {
		return nil, fmt.Errorf("gid %q: %w", gid, err)
	}
	return directory.ParseOwner(u, g)
}

// number returns the digits of an id, which stand as they are where it is no name.
func number(text string, known map[string]string, lookup func(string) (string, error)) (digits string, err error) {
	if text == "" || text[0] >= '0' && text[0] <= '9' {
		return text, nil
	}
	digits, ok := known[text]
	if !ok {
		digits, err = lookup(text)
	}
	if err == nil {
		known[text] = digits
	}
	return digits, err
}
