package config

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A runner is whom the server will run as.
type runner struct {
	name     string
	uid, gid int
	groups   []int
	present  bool // the present user
}

// runner finds whom the server will run as, and reports what is wrong with that.
func (c *Config) runner(report func(path string, err error)) runner {
	uid, gid, set, err := c.Store.RunAs()
	if err != nil {
		key := "store.user"
		if _, err := UserID(c.Store.User); err == nil && c.Store.Group != "" {
			key = "store.group"
		}
		report(key, err)
		return runner{present: true}
	}
	if !set || uid == os.Geteuid() {
		return runner{present: true}
	}
	if os.Geteuid() != 0 {
		report("store.user", caution{fault{fmt.Sprintf("this is user %d, who cannot become user %s", os.Geteuid(), quote(c.Store.User)), "start the server as root, or as that user"}})
		return runner{present: true}
	}
	groups := []int{}
	if !c.Store.Owners {
		if groups, err = GroupIDs(uid); err != nil {
			report("store.user", err)
		}
	}
	return runner{name: c.Store.User, uid: uid, gid: gid, groups: groups}
}

// can reports whether the server will have the given access (access(2)) to what it runs with.
func (w runner) can(path string, mode uint32) error {
	ask := func() error { return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS) }
	if w.present {
		return ask()
	}
	var err error
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		runtime.LockOSThread() // and never unlocked: the thread ends with what it has become
		if err = unix.Setgroups(w.groups); err == nil {
			err = unix.Setfsgid(w.gid)
		}
		if err == nil {
			err = unix.Setfsuid(w.uid)
		}
		if err == nil {
			err = ask() // the kernel goes by what was just set
		}
	}()
	<-asked
	return err
}

// checkRunner checks that the server will be able to do what it must behind its start.
func (c *Config) checkRunner(w runner, report func(path string, err error)) {
	for i, u := range c.Users {
		if u.Owner != "" && c.Store.Owners {
			_, _, err := c.Store.IDs(u)
			report("user["+itoa(i)+"].owner", err)
		}
	}
	if w.present {
		return
	}
	for key, path := range map[string]string{"tls.key": c.TLS.Key, "auth.passwd_file": c.Auth.PasswdFile} {
		if path == "" || w.can(path, unix.R_OK) == nil {
			continue
		}
		if _, err := os.Stat(path); err == nil { // else a problem already
			report(key, caution{fault{fmt.Sprintf("user %s cannot read %s, so that a new one is used only after a restart", quote(w.name), quote(path)), "give it to a group of that user, with mode 0640"}})
		}
	}
}

// checkStore checks the directory that mailboxes are below.
func (c *Config) checkStore(w runner, root string) error {
	if c.Store.Owners { // who only passes; homes are the owners'
		return w.checkDirectory(root, unix.X_OK, "entered")
	}
	return w.checkDirectory(root, unix.W_OK|unix.X_OK, "written to")
}
