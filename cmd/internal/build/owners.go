package build

import (
	"os"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// buildOwners says with whose rights mail is delivered.
func buildOwners(s config.Store) route.Owners {
	me := os.Geteuid()
	o := route.Owners{Allowed: s.Owners, FirstUID: uint32(s.FirstUID), FirstGID: uint32(s.FirstGID), Self: uint32(me)}
	uid, gid, set, err := s.RunAs()
	if !set || err != nil || me == uid {
		return o
	}
	// This is no server, but a verb that asks, or delivers a message.
	o.Self = uint32(uid)
	if s.Owners && me != 0 {
		o.Default = mailbox.Owner{UID: uint32(uid), GID: uint32(gid)}
	}
	return o
}

// ownerOf returns the owner of an account in the configuration, nil for none.
func ownerOf(s config.Store, u config.User) (*directory.Owner, error) {
	uid, gid, err := s.IDs(u)
	if err != nil || uid == 0 {
		return nil, err
	}
	return &directory.Owner{UID: uint32(uid), GID: uint32(gid)}, nil
}
