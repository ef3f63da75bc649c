package config

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// UserID returns the number of a user of this machine, given by name or number.
func UserID(name string) (int, error) {
	if isDigits(name) {
		return id(name)
	}
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	switch {
	case errors.As(err, &unknown):
		return 0, hint.New("no user "+hint.Quote(name)+" on this machine", "getent passwd lists them; a number will do too")
	case err != nil:
		return 0, fmt.Errorf("look up user %s: %w", hint.Quote(name), err)
	}
	return id(u.Uid)
}

// GroupID returns the number of a group of this machine, given by name or number.
func GroupID(name string) (int, error) {
	if isDigits(name) {
		return id(name)
	}
	g, err := user.LookupGroup(name)
	var unknown user.UnknownGroupError
	switch {
	case errors.As(err, &unknown):
		return 0, hint.New("no group "+hint.Quote(name)+" on this machine", "getent group lists them; a number will do too")
	case err != nil:
		return 0, fmt.Errorf("look up group %s: %w", hint.Quote(name), err)
	}
	return id(g.Gid)
}

// maxID is the largest number of a user or group (see id).
const maxID = 1<<32 - 2

// id parses a uid_t or gid_t. The largest is no user: chown(2) takes it for "leave it".
func id(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > maxID {
		return 0, fmt.Errorf("%s is not a user or group number", hint.Quote(s))
	}
	return int(n), nil
}

// PrimaryIDs returns the number of a user of this machine, who is named or numbered, and that of the user's group.
func PrimaryIDs(name string) (uid, gid int, err error) {
	if uid, err = UserID(name); err != nil {
		return 0, 0, err
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return 0, 0, fmt.Errorf("no user %s on this machine, whose group could be asked for", hint.Quote(name))
	}
	gid, err = id(u.Gid)
	return uid, gid, err
}

// GroupIDs returns the numbers of the groups that a user is in, by number.
func GroupIDs(uid int) ([]int, error) {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil, nil // a number that no user has is in no group
	}
	names, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up the groups of user %s: %w", u.Username, err)
	}
	var ids []int
	for _, name := range names {
		gid, err := id(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, gid)
	}
	return ids, nil
}
