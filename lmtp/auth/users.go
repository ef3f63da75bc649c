package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/xdg-go/scram"
)

// A Problem is a line of a password file that is not understood.
type Problem struct {
	Line int // from 1
	Text string
}

// Users are the contents of a password file.
type Users struct {
	secrets map[string]secret
	gone    error // why there is no file any more; nil while there is
	// decoys has a secret for each kind that takes a time of its own to check. An attempt checks one of each, the
	// name's own for its kind, so that time tells neither which names there are nor how their passwords are kept.
	decoys []secret

	hasScram bool
	// model is what credentials look like in this file, for names that have none; hidden makes
	// what is unlike in them.
	model  scram.KeyFactors
	hidden []byte
}

// A secret is what the file has of a password.
type secret interface {
	// matches reports whether password is the one. It takes the same time for every password.
	matches(password string) bool
	// cost is how long that takes, roughly, in nanoseconds.
	cost() int64
}

// byteOrderMark is what some editors put before a text in UTF-8. It is part of no name.
const byteOrderMark = "\ufeff"

// Parse reads the text of a password file, in Dovecot's format (passwd-file): a line for each user,
//
//	name:{SCHEME}secret:…
//
// where what is after the second colon has no meaning here. Empty lines, and those that begin with
// "#", have none either.
func Parse(text string) (*Users, []Problem) {
	u := &Users{secrets: map[string]secret{}, hidden: make([]byte, 32)}
	rand.Read(u.hidden) // never fails
	var problems []Problem
	number := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text, byteOrderMark), "\n") {
		number++
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		if err := u.add(line); err != nil {
			problems = append(problems, Problem{number, err.Error()})
		}
	}
	return u, problems
}

// add takes one line. Its errors do not repeat it: it is a secret.
func (u *Users) add(line string) error {
	name, rest, _ := strings.Cut(line, ":")
	hash, _, _ := strings.Cut(rest, ":")
	prepared, err := prepareName(name)
	if err != nil {
		return fmt.Errorf("not a user name: %w", err)
	}
	if _, twice := u.secrets[prepared]; twice {
		return fmt.Errorf("user %q is there twice, and the first counts", name)
	}
	s, err := parseSecret(hash)
	if err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	u.secrets[prepared] = s
	if !slices.ContainsFunc(u.decoys, func(decoy secret) bool { return kindOf(decoy) == kindOf(s) }) {
		u.decoys = append(u.decoys, s)
	}
	if s, ok := s.(*scramSecret); ok && !u.hasScram {
		u.hasScram = true
		u.model = s.KeyFactors
		// The same after a restart, and not to be guessed: if the salts of names that do not
		// exist were others then, they would be known by it.
		hidden := hmac.New(sha256.New, s.ServerKey)
		hidden.Write([]byte("names that do not exist"))
		u.hidden = hidden.Sum(nil)
	}
	return nil
}

// HasScram reports whether any user can authenticate by SCRAM.
func (u *Users) HasScram() bool { return u.hasScram }

// kindOf is what the time of a check depends on: the scheme, and what it costs with its parameters.
func kindOf(s secret) string { return fmt.Sprintf("%T %d", s, s.cost()) }

// check checks the password of a name.
func (u *Users) check(name, password string) error {
	if u.gone != nil {
		return gone(u.gone)
	}
	if len(u.decoys) == 0 {
		return wrong("no such user")
	}
	s, known := u.secrets[name]
	if !known {
		s = u.decoys[0]
	}
	matches, own := false, kindOf(s)
	for _, decoy := range u.decoys {
		if kindOf(decoy) == own {
			matches = s.matches(password)
		} else {
			decoy.matches(password)
		}
	}
	switch {
	case !known:
		return wrong("no such user")
	case !matches:
		return wrong(fmt.Sprintf("wrong password for %q", name))
	}
	return nil
}

// scramCredentials are those of a name. For one that has none they are made up, the same each time,
// and nothing proves them. They are made up for the others too, as that takes time.
func (u *Users) scramCredentials(name string) scram.StoredCredentials {
	made := func(what string, size int) []byte {
		var octets []byte
		for block := byte(0); len(octets) < size; block++ {
			h := hmac.New(sha256.New, u.hidden)
			h.Write(append([]byte(what), block))
			h.Write([]byte(name))
			octets = h.Sum(octets)
		}
		return octets[:size]
	}
	unknown := make([]byte, sha256.Size)
	rand.Read(unknown)
	credentials := scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(made("salt", len(u.model.Salt))), Iters: u.model.Iters},
		StoredKey:  unknown,
		ServerKey:  made("server key", sha256.Size),
	}
	prepared, err := prepareName(name)
	if s, ok := u.secrets[prepared].(*scramSecret); ok && err == nil {
		credentials = s.StoredCredentials
	}
	return credentials
}
