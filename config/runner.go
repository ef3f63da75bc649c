package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A runner is the user that the server will run as.
type runner struct {
	name     string
	uid, gid int
	groups   []int
	present  bool // the present user
}

// runner returns the user that the server will run as. report takes what is wrong with the value of a key.
func (s Store) runner(report func(key string, err error)) runner {
	uid, gid, set, err := s.RunAs()
	if err != nil {
		key := "user"
		if _, err := UserID(s.User); err == nil && s.Group != "" {
			key = "group"
		}
		report(key, err)
		return runner{present: true}
	}
	if !set && s.Owners && os.Geteuid() == 0 {
		report("owners", hint.New("store.user does not say whom to run as while no owner's rights are needed",
			`write user = "doorstep" in [store]`))
	}
	if !set || uid == os.Geteuid() {
		return runner{present: true}
	}
	if os.Geteuid() != 0 {
		text := fmt.Sprintf("this is user %d, who cannot become user %s", os.Geteuid(), hint.Quote(s.User))
		report("user", hint.Warning(text, "start the server as root, or as that user"))
		return runner{present: true}
	}
	groups := []int{}
	if !s.Owners {
		if groups, err = GroupIDs(uid); err != nil {
			report("user", err)
		}
	}
	return runner{name: s.User, uid: uid, gid: gid, groups: groups}
}

// can reports whether the server will have the given access (access(2)) to a path.
func (w runner) can(path string, mode uint32) error {
	return w.do(func() error { return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS) })
}

// do calls ask, which looks at files, with the rights that the server will have.
func (w runner) do(ask func() error) (err error) {
	if w.present {
		return ask()
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		runtime.LockOSThread() // and never unlocked: the thread ends with what it has become
		err = guard.Call(func() error {
			if err := unix.Setgroups(w.groups); err != nil {
				return err
			}
			if err := unix.Setfsgid(w.gid); err != nil {
				return err
			}
			if err := unix.Setfsuid(w.uid); err != nil {
				return err
			}
			return ask() // the kernel goes by what was just set
		})
	}()
	<-asked
	return err
}

// check is do for what is said of the configuration: that it is not the present user who may not is said with it.
func (w runner) check(ask func() error) error {
	err := w.do(ask)
	if w.present || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return hint.New(fmt.Sprintf("user %s, who will run the server: %v", hint.Quote(w.name), err),
		"give it to a group of that user, with mode 0640; every directory above must let that user pass")
}

// checkReload checks that the server can read a file again when it runs.
func (w runner) checkReload(path string) error {
	if w.present || path == "" || w.can(path, unix.R_OK) == nil {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil // a problem already
	}
	return hint.Warning(fmt.Sprintf("user %s cannot read %s, so that a new one is used only after a restart",
		hint.Quote(w.name), hint.Quote(path)), "give it to a group of that user, with mode 0640")
}

// checkRoot checks the directory that all mailboxes are in.
func (s Store) checkRoot(w runner) error {
	root := s.Root()
	switch {
	case root == "":
		return nil
	case s.Owners: // the server only passes; homes are the owners'
		return w.checkDirectory(root, unix.X_OK, "entered")
	}
	return w.checkDirectory(root, unix.W_OK|unix.X_OK, "written to")
}

// checkSpool checks the directory for what is too large for memory and not for a mailbox yet. It is said in the
// environment, which may not be that of the server.
func (w runner) checkSpool() error {
	err := w.checkDirectory(mailbox.SpoolDirectory(), unix.W_OK|unix.X_OK, "written to")
	if err == nil {
		return nil
	}
	return hint.Warning(err.Error()+": messages above 128 KiB that are for several owners or file systems, or make a "+
		"folder, are deferred", "set TMPDIR for the server, or unset it for /var/tmp")
}

// checkDirectory checks that path is a directory that w has this access to.
func (w runner) checkDirectory(path string, mode uint32, what string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hint.New("directory "+hint.Quote(path)+" does not exist", "mkdir -p "+path)
	case err != nil:
		return err
	case !info.IsDir():
		return hint.New(hint.Quote(path)+" is not a directory", "")
	}
	// This asks the kernel, which knows ACLs and read-only mounts.
	switch err := w.can(path, mode); {
	case err == nil:
		return nil
	case w.present:
		return fmt.Errorf("directory %s cannot be %s: %w", hint.Quote(path), what, err)
	default:
		text := fmt.Sprintf("directory %s cannot be %s by user %s: %v", hint.Quote(path), what, hint.Quote(w.name), err)
		return hint.New(text, "chown "+w.name+" "+path)
	}
}
