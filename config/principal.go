package config

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
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
		return 0, fault{"no user " + quote(name) + " on this machine", "getent passwd lists them; a number will do too"}
	case err != nil:
		return 0, fmt.Errorf("look up user %s: %w", quote(name), err)
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
		return 0, fault{"no group " + quote(name) + " on this machine", "getent group lists them; a number will do too"}
	case err != nil:
		return 0, fmt.Errorf("look up group %s: %w", quote(name), err)
	}
	return id(g.Gid)
}

// id parses a uid_t or gid_t. The largest is no user: chown(2) takes it for "leave it".
func id(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%s is not a user or group number", quote(s))
	}
	return int(n), nil
}
