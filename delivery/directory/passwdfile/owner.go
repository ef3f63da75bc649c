package passwdfile

import (
	"fmt"
	"math"
	"os/user"
	"strconv"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// owners finds the numbers of users and groups that lines name, as HestiaCP's do. It remembers them for
// one reading of the file: each question reads all of /etc/passwd.
type owners struct{ users, groups map[string]uint32 }

func newOwners() *owners { return &owners{map[string]uint32{}, map[string]uint32{}} }

// owner understands uid and gid: both are there or neither.
func (o *owners) owner(uid, gid string) (*directory.Owner, error) {
	if uid == "" && gid == "" {
		return nil, nil
	}
	if uid == "" || gid == "" {
		return nil, fmt.Errorf("uid %q and gid %q: one is missing", uid, gid)
	}
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
	return &directory.Owner{UID: u, GID: g}, nil
}

// number understands an id: a number, or else a name to look up.
func number(text string, known map[string]uint32, lookup func(string) (string, error)) (uint32, error) {
	if n, ok := known[text]; ok {
		return n, nil
	}
	digits := text
	if text[0] < '0' || text[0] > '9' {
		var err error
		if digits, err = lookup(text); err != nil {
			return 0, err
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, err
	}
	if n == math.MaxUint32 { // -1 says "leave it" to the kernel
		return 0, fmt.Errorf("%d stands for none", n)
	}
	known[text] = uint32(n)
	return uint32(n), nil
}
