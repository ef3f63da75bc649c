package auth

import (
	"errors"

	"golang.org/x/text/secure/precis"
)

// maxPassword bounds what is worth checking, in octets: some ways to hash take time for each.
const maxPassword = 1024

// maxName bounds a user name, in octets; it ends up in the log.
const maxName = 255

var (
	errEmpty   = errors.New("empty")
	errTooLong = errors.New("too long")
)

// prepareName makes equal what is the same name (RFC 8265 §3.3, UsernameCasePreserved).
func prepareName(name string) (string, error) {
	switch {
	case name == "":
		return "", errEmpty // which package precis takes
	case len(name) > maxName:
		return "", errTooLong
	}
	return precis.UsernameCasePreserved.String(name)
}

// preparePassword makes equal what is the same password (RFC 8265 §4.2, OpaqueString).
func preparePassword(password string) (string, error) {
	if len(password) > maxPassword {
		return "", errTooLong
	}
	return precis.OpaqueString.String(password)
}

// sameName reports whether an authorization identity is none, or the client's own: no client acts for
// another here.
func sameName(wanted, own string) bool {
	if wanted == "" {
		return true
	}
	prepared, err := prepareName(wanted)
	return err == nil && prepared == own
}
