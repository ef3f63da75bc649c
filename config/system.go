package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
		at.Text, at.Hint = err.Error(), f.hint
		at.Warning = errors.As(err, new(caution))
		found = append(found, at)
	}
	for i, l := range c.Listen {
		path := "listen[" + itoa(i) + "]"
		if l.Network == "unix" {
			report(path+".address", checkSocket(l.Address))
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
	if root := c.Store.Root(); root != "" {
		report("store.path", checkDirectory(root))
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
func checkSocket(path string) error {
	if err := checkDirectory(filepath.Dir(path)); err != nil {
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

// checkDirectory checks that path is a directory in which the present user can make files.
func checkDirectory(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault{"directory " + quote(path) + " does not exist", "mkdir -p " + path}
	case err != nil:
		return err
	case !info.IsDir():
		return fault{quote(path) + " is not a directory", ""}
	}
	// Faccessat with AT_EACCESS asks the kernel, which knows ACLs and read-only mounts.
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("directory %s cannot be written to: %w", quote(path), err)
	}
	return nil
}
