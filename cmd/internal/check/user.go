package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon/privilege"
	"github.com/doorstep-mail/doorstep/config"
)

// A Starter is the user who starts the server, and what the server is given.
type Starter struct {
	// Unit is the unit of systemd that says so, "" for none.
	Unit string
	// User is its name, "" for the present user.
	User string

	uid, gid int
	groups   []int
	sockets  []config.Listen // that systemd opens
	ambient  string          // capabilities, as systemctl shows them
}

// StarterOf returns the user of a name or, for "", that of systemd's unit for the configuration, where there is one.
func StarterOf(ctx context.Context, name, path string) (Starter, error) {
	if name != "" {
		s := Starter{User: name}
		return s, s.find("", "")
	}
	unit := unitFor(ctx, path)
	s := Starter{Unit: unit["Id"], User: unit["User"], sockets: socketsOf(ctx, unit["TriggeredBy"]),
		ambient: unit["AmbientCapabilities"]}
	if s.User == "" {
		return s, nil
	}
	return s, s.find(unit["Group"], unit["SupplementaryGroups"])
}

// find finds the numbers of the user. primary is its group, "" for its own; more are further ones.
func (s *Starter) find(primary, more string) (err error) {
	if s.uid, s.gid, err = config.PrimaryIDs(s.User); err != nil {
		return cli.Usage(fmt.Errorf("check as user %q: %w", s.User, err), "getent passwd lists the users of this machine")
	}
	if s.groups, err = config.GroupIDs(s.uid); err != nil {
		return err
	}
	for _, name := range strings.Fields(primary + " " + more) {
		gid, err := config.GroupID(name)
		if err != nil {
			return cli.Usage(fmt.Errorf("groups of %s: %w", s.Unit, err), "")
		}
		if name == primary {
			s.gid = gid
		}
		s.groups = append(s.groups, gid)
	}
	return nil
}

// Become makes the process the user, for good. Whether that was asked for or only is the default makes a difference
// where it cannot be done.
func (s *Starter) Become(asked bool) error {
	switch me := os.Geteuid(); {
	case s.User == "" || me == s.uid:
		return nil
	case me == 0:
		return privilege.Become(s.uid, s.gid, s.groups)
	case asked:
		return cli.Usage(fmt.Errorf("this is user %d, who cannot become %q", me, s.User), "do it as root, or as that user")
	}
	s.User = "" // what the present user sees is better than nothing
	return nil
}

// Opened are the listeners whose sockets systemd opens, at the same addresses.
func (s *Starter) Opened(c *config.Config) (open []config.Listen) {
	for _, l := range append(slices.Clone(c.Listen), c.Admin.Socket) {
		if slices.ContainsFunc(s.sockets, func(o config.Listen) bool {
			return o.Network == l.Network && o.Address == l.Address
		}) {
			open = append(open, l)
		}
	}
	return open
}

// systemctlPatience bounds a question to systemd.
const systemctlPatience = 5 * time.Second

// unitFor asks systemd for the unit of the package, and returns its properties where it starts a server with this
// configuration. They are as systemctl shows them; none where there is no such unit, or no systemd.
func unitFor(ctx context.Context, path string) map[string]string {
	unit := show(ctx, "doorstep.service", "Id", "User", "Group", "SupplementaryGroups", "ExecStart", "AmbientCapabilities",
		"TriggeredBy")
	absolute, err := filepath.Abs(path)
	_, argv, _ := strings.Cut(unit["ExecStart"], "argv[]=")
	argv, _, _ = strings.Cut(argv, " ; ")
	words := strings.Fields(argv)
	named := slices.Contains(words, absolute) || absolute == cli.DefaultConfig && !slices.Contains(words, "-c")
	if err != nil || !slices.Contains(words, "serve") || !named {
		return nil
	}
	return unit
}

// socketsOf are what the socket units listen on, in the words of a [[listen]].
func socketsOf(ctx context.Context, units string) (sockets []config.Listen) {
	for _, unit := range strings.Fields(units) {
		for address := range strings.SplitSeq(show(ctx, unit, "Listen")["Listen"], "\n") {
			address, _, _ = strings.Cut(address, " (")
			network := "tcp"
			if strings.HasPrefix(address, "/") {
				network = "unix"
			}
			sockets = append(sockets, config.Listen{Network: network, Address: address})
		}
	}
	return sockets
}

// show asks systemd for properties of a unit. Those that come several times are lines.
func show(ctx context.Context, unit string, names ...string) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, systemctlPatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--property="+strings.Join(names, ","), "--", unit).Output()
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if before := found[name]; before != "" {
			value = before + "\n" + value
		}
		found[name] = value
	}
	return found
}
