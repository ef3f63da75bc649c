package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon/privilege"
	"github.com/doorstep-mail/doorstep/config"
	"golang.org/x/sys/unix"
)

// settle makes the process the user that [store] names, for good. What comes from a client, or is a message,
// is read only after it.
func settle(s config.Store) error {
	target, err := target(s)
	if err != nil || target == nil {
		return err
	}
	err = privilege.Drop(*target)
	switch {
	case errors.Is(err, privilege.ErrNoProc):
		return cli.Failed(err, privilege.MountProc)
	case err != nil:
		return cli.Failed(err, "docs/privileges.md says what is needed")
	}
	return nil
}

// target is what [store] says of the process, nil for nothing.
func target(s config.Store) (*privilege.Target, error) {
	uid, gid, set, err := s.RunAs()
	me := os.Geteuid()
	switch {
	case err != nil:
		return nil, cli.Failed(fmt.Errorf("store.user: %w", err), "doorstep check tells what is wrong with the configuration")
	case set && me != 0 && me != uid:
		return nil, cli.Usage(fmt.Errorf("this is user %d, who cannot become %q (store.user)", me, s.User),
			"start it as root, or as that user")
	case !set && me == 0 && s.Owners:
		return nil, cli.Usage(errors.New("store.owners is true, and store.user does not say whom to run as while no "+
			"owner's rights are needed"), `write user = "doorstep" in [store]`)
	case !set && !s.Owners, !set && me == 0:
		return nil, nil
	}
	t := &privilege.Target{UID: uid, GID: gid}
	if me == 0 {
		if t.Groups, err = config.GroupIDs(uid); err != nil {
			return nil, cli.Failed(err, "")
		}
	} else {
		t.UID, t.GID = me, os.Getegid()
		if t.Groups, err = os.Getgroups(); err != nil {
			return nil, cli.Failed(err, "")
		}
	}
	if s.Owners {
		t.Owners = &privilege.Owners{FirstUID: s.FirstUID, FirstGID: s.FirstGID}
		if err := mayBorrow(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// mayBorrow checks that the process can deliver as others.
func mayBorrow() error {
	can, err := privilege.Borrows()
	if err != nil {
		return cli.Failed(err, "")
	}
	if !can {
		return cli.Usage(errors.New("store.owners is true, and this process has neither root's rights nor CAP_SETUID and "+
			"CAP_SETGID"),
			"start it as root, or by systemd with the drop-in doorstep-owners.conf: AmbientCapabilities=CAP_SETUID CAP_SETGID")
	}
	return nil
}

// successorAttributes hand the right to borrow those of owners on to a process that takes this one's place.
// No other program gets it.
func successorAttributes(s config.Store) *syscall.SysProcAttr {
	can, err := privilege.Borrows()
	if !s.Owners || err != nil || !can {
		return nil
	}
	return &syscall.SysProcAttr{AmbientCaps: []uintptr{unix.CAP_SETUID, unix.CAP_SETGID}}
}

// SettleToDeliver is settle for the delivery of one message. With store.owners every user may do that to
// a mailbox of their own, and to no other.
func SettleToDeliver(s config.Store) error {
	if err := forbidCores(); err != nil {
		return cli.Failed(err, "")
	}
	if s.Owners && os.Geteuid() != 0 {
		if can, err := privilege.Borrows(); err == nil && !can {
			return nil
		}
	}
	return settle(s)
}

// logIdentity logs which user the server runs as, and warns of root.
func logIdentity(s config.Store, log *slog.Logger) {
	groups, err := os.Getgroups()
	if err != nil {
		log.Error("list the groups of the process", "error", err)
	}
	if os.Geteuid() == 0 {
		log.Warn("running as root: a fault in this program exposes the whole machine", "hint",
			`write user = "vmail" in [store]`)
		return
	}
	log.Info("running", "uid", os.Geteuid(), "gid", os.Getegid(), "groups", groups, "owners", s.Owners)
}
