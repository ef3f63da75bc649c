package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config"
)

// A reload at the moment when a program writes the configuration in place, or after that has died, reads a file that
// makes sense and lacks accounts. Their mail would be refused for good.

const (
	// settling is how long files must have been left alone before it is believed that an account is gone: a program that
	// writes them is then through with them.
	settling = time.Second
	// settlePatience is how long a reload waits for that.
	settlePatience = 3 * time.Second
)

// loadWhole reads the configuration for a reload. Where it lacks or changes something about accounts that are in force,
// all files must have been left alone for a moment, and end in whole lines.
func (d *daemon) loadWhole() (*config.Config, []config.Problem, error) {
	c, problems, err := config.Load(d.path)
	end := time.Now().Add(settlePatience)
	for err == nil && !config.HasErrors(problems) && takesAway(d.instances.present().config, c) {
		before, lookErr := d.look(c)
		if lookErr == nil && time.Since(before.changed).Abs() >= settling { // a clock may have been set
			if before.half != "" {
				return nil, nil, fmt.Errorf("%s is not whole: it takes accounts away, and its last line has no end", before.half)
			}
			c, problems, err = config.Load(d.path)
			if after, againErr := d.look(c); err != nil || againErr == nil && after == before {
				break
			}
		}
		if time.Now().After(end) {
			return nil, nil, errors.Join(fmt.Errorf("%s or its conf.d is being written", d.path), lookErr)
		}
		select {
		case <-time.After(settling / 10):
		case <-d.instances.left:
			return nil, nil, errLeaving
		}
	}
	return c, problems, err
}

// takesAway reports whether a configuration lacks accounts, or says something else of them.
func takesAway(before, after *config.Config) bool {
	return slices.ContainsFunc(before.Changes(after), func(change config.Change) bool {
		section, _, _ := strings.Cut(change.What, " ")
		return !strings.HasSuffix(change.What, " (new)") &&
			slices.Contains([]string{"domain", "user", "alias", "directory", "postmaster"}, section)
	})
}

// A sight is what files of a configuration look like from outside.
type sight struct {
	files   int
	octets  int64
	changed time.Time // when the last of them was, or conf.d
	half    string    // a file whose last line has no end
}

// look looks at the files that c was read from, and at conf.d, which remembers that a file was removed.
func (d *daemon) look(c *config.Config) (s sight, err error) {
	if c == nil {
		return s, nil
	}
	for _, file := range c.ReadFrom() {
		if err := s.add(file); err != nil {
			return s, err
		}
	}
	parts, err := os.Stat(filepath.Join(filepath.Dir(d.path), "conf.d"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil && parts.ModTime().After(s.changed) {
		s.changed = parts.ModTime()
	}
	return s, err
}

func (s *sight) add(file string) (err error) {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() { // a pipe has neither size nor time
		return err
	}
	s.files, s.octets = s.files+1, s.octets+info.Size()
	if info.ModTime().After(s.changed) {
		s.changed = info.ModTime()
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	last := make([]byte, 1)
	if _, err := in.ReadAt(last, max(info.Size()-1, 0)); err != nil || last[0] != '\n' { // cut meanwhile, or empty
		s.half = file
	}
	return nil
}

// wholeEnough refuses a configuration that knows no accounts any more: all mail would be refused for good.
func wholeEnough(before, after *config.Config) error {
	if knowsAccounts(before) && !knowsAccounts(after) {
		return errors.New("there is no [[user]], [[alias]] or [[directory]] any more, and all mail would be refused")
	}
	return nil
}

func knowsAccounts(c *config.Config) bool {
	return len(c.Users)+len(c.Aliases)+len(c.Directories) > 0
}
