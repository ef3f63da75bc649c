package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// A sandbox is what the kernel still lets the process touch (Landlock): below write to read and write,
// below read to read. nil is all that the user may.
type sandbox struct {
	write, read []string
	state       string // of write, what only [state] needs; "" for nothing
}

// sandboxedBy has for a process that takes over what the one before let itself touch: the kernel does not
// give back what was given up.
const sandboxedBy = "DOORSTEP_SANDBOX"

// enterSandbox gives up what the configuration does not need, for good. It is called when sockets are
// open and before any connection is taken. tell informs the log how far it went.
func enterSandbox(c *config.Config, log *slog.Logger) (s *sandbox, tell func(), err error) {
	before := inheritedSandbox()
	wanted, why := sandboxFor(c)
	switch {
	case before != nil && wanted == nil:
		return nil, nil, cli.Failed(fmt.Errorf("the process before has given up what this configuration needs: %s", why),
			"restart the server instead")
	case before != nil:
		if err := before.covers(wanted); err != nil {
			return nil, nil, cli.Failed(err, "restart the server instead")
		}
	}
	without := func(reason any) func() { return func() { log.Info("no sandbox", "reason", reason) } }
	switch {
	case !c.Sandbox.Enabled && before == nil:
		return nil, without("sandbox.enabled is false"), nil
	case !c.Sandbox.Enabled:
		return before, without("sandbox.enabled is false, but that of the process before stays until a restart"), nil
	case wanted == nil:
		return nil, without(why), nil
	}
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return nil, without("this kernel has no Landlock: " + errno.Error()), nil
	}
	// Messages go from tmp to new: from one directory to another.
	err = landlock.V5.BestEffort().RestrictPaths(
		landlock.RWDirs(wanted.write...).WithRefer().IgnoreIfMissing(),
		landlock.RODirs(wanted.read...).IgnoreIfMissing(),
		landlock.RWFiles("/dev/null").IgnoreIfMissing(),
	)
	if err != nil { // nothing was given up, and mail is worth more
		return nil, func() { log.Warn("no sandbox", "error", err) }, nil
	}
	return wanted, func() {
		log.Info("sandbox", "landlock", min(int(abi), 5), "write", wanted.write, "read", wanted.read)
	}, nil
}

// sandboxFor is what a server with this configuration needs; where that cannot be known, it says why.
func sandboxFor(c *config.Config) (s *sandbox, why string) {
	root := c.Store.Root()
	switch {
	case root == "" && len(c.Sandbox.Paths) == 0:
		return nil, "store.path begins with {home}, which may be anywhere; sandbox.paths can say where"
	case len(c.Directories) > 0 && len(c.Sandbox.Paths) == 0:
		return nil, "a [[directory]] may say where mailboxes are; sandbox.paths can say where that can be"
	}
	s = &sandbox{write: append(slices.Clone(c.Sandbox.Paths), os.TempDir())} // large content is spooled there
	if root != "" {
		s.write = append(s.write, withAbove(root))
	}
	if c.Submission.IsOn() {
		s.write = append(s.write, withAbove(c.Submission.Outbox)) // where it may be still to be made
	}
	for _, d := range c.Directories {
		if d.Driver == config.SQLite {
			s.write = append(s.write, filepath.Dir(d.File)) // its journal is beside it
		}
	}
	for _, l := range c.Listen {
		if l.Network == "unix" {
			s.write = append(s.write, filepath.Dir(l.Address)) // to remove it in the end
		}
	}
	if c.Control.Socket != "" {
		s.write = append(s.write, filepath.Dir(c.Control.Socket))
	}
	if c.Admin.Socket.Network == "unix" {
		s.write = append(s.write, filepath.Dir(c.Admin.Socket.Address))
	}
	// Its log is beside it. A process that has given it up, because it knew of none, need not be restarted for it.
	if dir := filepath.Dir(c.State.Path); c.State.Driver == config.StateSQLite && !within(dir, s.write) {
		s.write, s.state = append(s.write, dir), dir
	}
	// Users and groups, names, certificates of authorities, zones of time; the process itself.
	s.read = []string{"/etc", "/proc", "/usr", "/lib", "/lib64", "/run/systemd"}
	if slices.ContainsFunc(c.Directories, func(d config.Directory) bool { return d.Driver == config.SystemAccounts }) {
		s.read = append(s.read, "/bin", "/sbin", "/run/nscd", "/var/lib/sss", "/var/lib/extrausers") // what getent asks
	}
	for _, file := range c.Files() {
		s.read = append(s.read, filepath.Dir(file))
		if real, err := filepath.EvalSymlinks(file); err == nil { // as in /etc/letsencrypt/live
			s.read = append(s.read, filepath.Dir(real))
		}
	}
	if program, err := ownProgram(); err == nil { // for an upgrade
		s.read = append(s.read, filepath.Dir(program))
		if real, err := filepath.EvalSymlinks(program); err == nil {
			s.read = append(s.read, filepath.Dir(real))
		}
	}
	s.write, s.read = distinct(s.write), distinct(s.read)
	return s, ""
}

// covers reports what other needs and s has given up.
func (s *sandbox) covers(other *sandbox) error {
	if s == nil {
		return nil
	}
	for _, path := range other.write {
		if !within(path, s.write) && path != other.state {
			return fmt.Errorf("the sandbox of the running process does not let it write to %s", path)
		}
	}
	for _, path := range other.read {
		if !within(path, s.read) && !within(path, s.write) {
			return fmt.Errorf("the sandbox of the running process does not let it read %s", path)
		}
	}
	return nil
}

// environment returns the sandbox for the process that takes over.
func (s *sandbox) environment() []string {
	if s == nil {
		return nil
	}
	return []string{sandboxedBy + "=" + strings.Join(s.write, "\n") + "\x01" + strings.Join(s.read, "\n")}
}

func inheritedSandbox() *sandbox {
	text, ok := os.LookupEnv(sandboxedBy)
	if !ok {
		return nil
	}
	write, read, _ := strings.Cut(text, "\x01")
	return &sandbox{write: strings.Split(write, "\n"), read: strings.Split(read, "\n")}
}

// withAbove returns what contains a directory: what is mounted on that later, or made, is below nothing else.
func withAbove(dir string) string {
	if above := filepath.Dir(dir); above != "/" {
		return above
	}
	return dir
}

func within(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
	})
}

func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// forbidCores keeps mail and secrets out of core dumps, and other processes of the same user out of
// this one's memory (prctl(2), PR_SET_DUMPABLE).
func forbidCores() error {
	err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	return errors.Join(err, unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}))
}
