package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// CheckSystem checks that what c names is there on this machine: the store's directory and
// the sockets', users and groups, certificates and passwords. It changes nothing, and can tell only what the present
// user may see and write.
func (c *Config) CheckSystem() []Problem {
	var found []Problem
	report := func(path string, err error) {
		if err == nil {
			return
		}
		var f fault
		errors.As(err, &f)
		at := c.places[path]
		switch at.Text, at.Hint = err.Error(), f.hint; {
		case at.Hint != "":
		case errors.Is(err, fs.ErrNotExist):
			at.Hint = "make it, or write where it is"
		case errors.Is(err, fs.ErrPermission):
			at.Hint = "the user who runs the server must be allowed to"
		case errors.Is(err, syscall.EROFS):
			at.Hint = "mount it for writing; under systemd the service's ReadWritePaths= must name it too"
		}
		at.Warning = errors.As(err, new(caution))
		found = append(found, at)
	}
	for i, l := range c.Listen {
		path := "listen[" + itoa(i) + "]"
		if l.Network == "unix" {
			report(path+".address", c.checkSocket(l.Address))
		}
		if l.Owner != "" {
			_, err := UserID(l.Owner)
			report(path+".owner", err)
		}
		if l.Group != "" {
			_, err := GroupID(l.Group)
			report(path+".group", err)
		}
		for j, peer := range l.Peers {
			_, err := UserID(peer)
			report(path+".peers["+itoa(j)+"]", err)
		}
		for j, user := range l.TrustedUsers {
			_, err := UserID(user)
			report(path+".trusted["+itoa(j)+"]", err)
		}
	}
	c.checkTLSFiles(report)
	c.checkAuthFiles(report)
	c.checkDirectoryFiles(report)
	c.checkAdminFiles(report)
	if len(c.Quota.WarnCommand) > 0 {
		report("quota.warn_command[0]", checkProgram(c.Quota.WarnCommand[0]))
	}
	w := c.runner(report)
	c.checkRunner(w, report)
	if root := c.Store.Root(); root != "" {
		report("store.path", c.checkStore(w, root))
	}
	return found
}

// checkProgram checks that path is a program that the present user can run.
func checkProgram(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault{quote(path) + " does not exist", ""}
	case err != nil:
		return err
	case !info.Mode().IsRegular() || unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) != nil:
		return fault{quote(path) + " is not a program that can be run", "chmod +x " + path}
	}
	return nil
}

// checkSocket checks where a socket is to be. A socket that is there already is the one of
// an earlier start, and is replaced.
func (c *Config) checkSocket(path string) error {
	mode := uint32(unix.W_OK | unix.X_OK)
	if c.Store.User != "" && os.Geteuid() != 0 {
		mode = unix.F_OK // it may be root who opens it
	}
	if err := (runner{present: true}).checkDirectory(filepath.Dir(path), mode, "written to"); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fault{quote(path) + " is there and is not a socket", "choose another path, or move it away"}
	}
	return nil
}

// checkDirectory checks that path is a directory that w has this access to.
func (w runner) checkDirectory(path string, mode uint32, what string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault{"directory " + quote(path) + " does not exist", "mkdir -p " + path}
	case err != nil:
		return err
	case !info.IsDir():
		return fault{quote(path) + " is not a directory", ""}
	}
	// This asks the kernel, which knows ACLs and read-only mounts.
	switch err := w.can(path, mode); {
	case err == nil:
		return nil
	case w.present:
		return fmt.Errorf("directory %s cannot be %s: %w", quote(path), what, err)
	default:
		return fault{fmt.Sprintf("directory %s cannot be %s by user %s: %v", quote(path), what, quote(w.name), err), "chown " + w.name + " " + path}
	}
}
