package route

import (
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// errAccount says that what a directory says of an account cannot be. Others are not touched by
// it, and the log has the account.
var errAccount = errors.New("broken account")

// Owners says with whose rights mail is delivered. The zero Owners is for a process that delivers
// as itself only.
type Owners struct {
	// Allowed lets accounts have owners other than the process.
	Allowed bool
	// FirstUID and FirstGID are the lowest numbers that an owner may have; root is none whatever
	// they are. Users of the system are below them.
	FirstUID, FirstGID uint32
	// Self is the user of the process.
	Self uint32
	// Default is the owner of accounts that have none; the zero Owner is the process.
	Default mailbox.Owner
}

// Of returns the owner of an account's Maildir. Delivering as another than the directory says would
// make files that the account's reader cannot read, or that others can.
func (o Owners) Of(a *directory.Account) (mailbox.Owner, error) {
	if a.Owner == nil {
		return o.Default, nil
	}
	owner := mailbox.Owner{UID: a.Owner.UID, GID: a.Owner.GID}
	switch {
	case owner.UID == 0 || owner.GID == 0:
		return mailbox.Owner{}, fmt.Errorf("%w %s: root (%s) owns no mailbox", errAccount, a.Address, owner)
	case !o.Allowed && owner.UID == o.Self:
		return mailbox.Owner{}, nil
	case !o.Allowed:
		return mailbox.Owner{}, fmt.Errorf(
			"%w %s: is user %s's, and this is user %d, who delivers for no other (store.owners is false)",
			errAccount, a.Address, owner, o.Self)
	case owner.UID < o.FirstUID:
		return mailbox.Owner{}, fmt.Errorf("%w %s: uid %d is under store.first_valid_uid, %d",
			errAccount, a.Address, owner.UID, o.FirstUID)
	case owner.GID < o.FirstGID:
		return mailbox.Owner{}, fmt.Errorf("%w %s: gid %d is under store.first_valid_gid, %d",
			errAccount, a.Address, owner.GID, o.FirstGID)
	}
	return owner, nil
}
