package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/config/internal/tomlpos"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// CheckSystem checks that what c names is there on this machine: the store's directory and the sockets', users and
// groups, certificates and passwords. It changes nothing, and can tell only what the present user may see and write.
// The sockets of the listeners in open are open already: their files are not looked at, which may be where only root
// and systemd come, as in Postfix's private/.
func (c *Config) CheckSystem(open ...Listen) []Problem {
	s := systemCheck{places: c.origin.places, open: open}
	for i := range c.Listen {
		s.listener(c, &c.Listen[i], "listen["+strconv.Itoa(i)+"]")
	}
	c.TLS.checkFiles(s.below("tls"))
	c.Auth.checkFiles(c.Listen, s.below("auth"))
	s.admin(c)
	w := c.Store.runner(s.below("store"))
	for i := range c.Directories {
		c.Directories[i].checkFiles(w, s.below("directory["+strconv.Itoa(i)+"]"))
	}
	if len(c.Quota.WarnCommand) > 0 {
		s.report("quota.warn_command[0]", w.check(func() error { return checkProgram(c.Quota.WarnCommand[0]) }))
	}
	for i, u := range c.Users {
		if u.Owner != "" && c.Store.Owners {
			_, _, err := c.Store.IDs(u)
			s.report("user["+strconv.Itoa(i)+"].owner", err)
		}
	}
	s.report("limits.connections", c.Room().check(c.Limits))
	s.report("tls.key", w.checkReload(c.TLS.Key))
	s.report("auth.passwd_file", w.checkReload(c.Auth.PasswdFile))
	s.report("store.path", c.Store.checkRoot(w))
	if _, set := s.places["state.path"]; set { // else it is as the machine has it
		s.report("state.path", c.State.checkDirectory(w))
	}
	c.State.Database.checkFiles(w, s.below("state"))
	c.Submission.checkFiles(w, s.below("submission"))
	s.add(Problem{File: mailbox.SpoolDirectory()}, w.checkSpool())
	if _, set := s.places["control.socket"]; set && c.Control.Socket != "" {
		if err := checkSocket(c.Control.Socket, c.Store.User != ""); err != nil {
			s.report("control.socket", hint.Warning(err.Error()+": doorstep reload and upgrade do not reach the server",
				"make "+filepath.Dir(c.Control.Socket)+", for the user who starts the server"))
		}
	}
	for _, file := range c.haveSecrets() {
		s.add(Problem{File: file}, checkSecret(file))
	}
	return s.found
}

// checkedOnSystem are the beginnings of the keys that CheckSystem checks.
var checkedOnSystem = []string{
	"quota.", "listen[", "tls.", "auth.", "store.", "state.", "user[", "directory[", "admin.", "limits.", "control.",
	"submission.",
}

// systemPlaces returns where the values are that CheckSystem checks.
func systemPlaces(in *table.Input) map[string]Problem {
	places := map[string]Problem{}
	// whether set or not
	for _, key := range []string{"store.path", "store.user", "store.group", "limits.connections", "submission.outbox"} {
		places[key] = problemAt(tomlpos.Place{Document: in.Main, Offset: -1, Key: key})
	}
	for path, v := range in.Values() {
		if path == "state" {
			places[path] = problemAt(v.Place()) // of its keys that are not set
		}
		if strings.HasPrefix(path, "user[") && strings.HasSuffix(path, "]") {
			continue // an alias: there may be many, and they do not depend on the machine
		}
		if slices.ContainsFunc(checkedOnSystem, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			places[path] = problemAt(v.Place())
		}
	}
	return places
}

// A systemCheck collects what CheckSystem finds.
type systemCheck struct {
	places map[string]Problem
	open   []Listen // whose sockets are open already
	found  []Problem
}

// report adds what is wrong with the value at a path, if err is not nil.
func (s *systemCheck) report(path string, err error) { s.add(s.places[path], err) }

// add adds a problem at a place, if err is not nil.
func (s *systemCheck) add(p Problem, err error) {
	if err == nil {
		return
	}
	var e hint.Error
	errors.As(err, &e)
	p.Text, p.Hint, p.Warning = err.Error(), e.Hint, e.Warning
	switch {
	case p.Hint != "":
	case errors.Is(err, fs.ErrNotExist):
		p.Hint = "make it, or write where it is"
	case errors.Is(err, fs.ErrPermission):
		p.Hint = "the user who runs the server must be allowed to"
	case errors.Is(err, syscall.EROFS):
		p.Hint = "mount it for writing; under systemd the service's ReadWritePaths= must name it too"
	case strings.HasSuffix(p.Key, "_ca") || strings.HasPrefix(p.Key, "tls."):
		p.Hint = "it is a file in PEM: openssl x509 -in FILE -noout -text, or openssl pkey -in FILE -noout, reads it"
	}
	s.found = append(s.found, p)
}

// below returns report for the keys of a table.
func (s *systemCheck) below(path string) func(key string, err error) {
	return func(key string, err error) { s.report(path+"."+key, err) }
}

// listener checks the socket of a listener, and the users that it names.
func (s *systemCheck) listener(c *Config, l *Listen, path string) {
	s.socket(c, l, path)
	for i, peer := range l.Peers {
		_, err := UserID(peer)
		s.report(path+".peers["+strconv.Itoa(i)+"]", err)
	}
	for i, user := range l.TrustedUsers {
		_, err := UserID(user)
		s.report(path+".trusted["+strconv.Itoa(i)+"]", err)
	}
}

// socket checks where a socket is to be, and its owner and group.
func (s *systemCheck) socket(c *Config, l *Listen, path string) {
	isOpen := slices.ContainsFunc(s.open, func(o Listen) bool {
		return o.Network == l.Network && o.Address == l.Address
	})
	if l.Network == "unix" && !isOpen {
		s.report(path+".address", checkSocket(l.Address, c.Store.User != ""))
	}
	if l.Owner != "" {
		_, err := UserID(l.Owner)
		s.report(path+".owner", err)
	}
	if l.Group != "" {
		_, err := GroupID(l.Group)
		s.report(path+".group", err)
	}
}

// admin checks the socket and the token of [admin].
func (s *systemCheck) admin(c *Config) {
	if c.Admin.Socket.Network == "" {
		return
	}
	s.socket(c, &c.Admin.Socket, "admin")
	if c.Admin.TokenFile != "" {
		_, err := ReadToken(c.Admin.TokenFile)
		s.report("admin.token_file", err)
	}
}

// checkProgram checks that path is a program that the present user can run.
func checkProgram(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hint.New(hint.Quote(path)+" does not exist", "")
	case err != nil:
		return err
	case !info.Mode().IsRegular() || unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) != nil:
		return hint.New(hint.Quote(path)+" is not a program that can be run", "chmod +x "+path)
	}
	return nil
}

// checkSocket checks where a socket is to be. A socket that is there already is the one of an earlier start, and is
// replaced. openedByRoot says that the server may be started by root, and become another user.
func checkSocket(path string, openedByRoot bool) error {
	mode := uint32(unix.W_OK | unix.X_OK)
	if openedByRoot && os.Geteuid() != 0 {
		mode = unix.F_OK
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
		return hint.New(hint.Quote(path)+" is there and is not a socket", "choose another path, or move it away")
	}
	return nil
}
