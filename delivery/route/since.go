package route

import (
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

var (
	errNewOwner = &lmtp.Error{
		Code: 550, Enhanced: "5.7.17", Text: "the mailbox has another owner since", Rule: "owner_since",
	}
	errUnknownOwner = &lmtp.Error{
		Code: 550, Enhanced: "5.7.19", Text: "since when the mailbox has its owner is not known", Rule: "owner_since",
	}
)

// RefuseOwner refuses a mailbox that can have had another owner than now at the given time (RFC 7293 §5).
// It does not refuse a role, which changes hands by its nature (RFC 7293 §10).
func RefuseOwner(a *directory.Account, to address.Address, since time.Time) error {
	switch {
	case since.IsZero() || isRole(to.Local):
		return nil
	case a.OwnerSince.IsZero():
		return errUnknownOwner
	case a.OwnerSince.After(since):
		return errNewOwner
	}
	return nil
}

// roles are the local parts of RFC 2142.
var roles = map[string]bool{
	"info": true, "marketing": true, "sales": true, "support": true, // §3
	"abuse": true, "noc": true, "security": true, // §4
	"postmaster": true, "hostmaster": true, "usenet": true, "news": true, // §5
	"webmaster": true, "www": true, "uucp": true, "ftp": true,
}

func isRole(local string) bool { return roles[strings.ToLower(local)] }
