package check

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/config"
)

// Options say what is checked.
type Options struct {
	// Path is the file of the configuration.
	Path string
	// As is the user who starts the server; "" for that of systemd's unit or else the present one.
	As string
	// Connect asks what the configuration leads to.
	Connect bool
}

// A Report is what was found.
type Report struct {
	Problems []config.Problem `json:"problems"`
	// Answers are those of what was asked, in the order of the configuration.
	Answers []Answer `json:"answers"`
	// Summary says in a few words what was looked at.
	Summary string `json:"summary"`
}

// Run checks a configuration. The process may be another user afterwards: who starts the server, and then whom that
// becomes. An error says that there was nothing to check.
func Run(ctx context.Context, o Options) (r Report, err error) {
	r = Report{Problems: []config.Problem{}, Answers: []Answer{}}
	starter, err := StarterOf(ctx, o.As, o.Path)
	if err == nil {
		err = starter.Become(o.As != "")
	}
	if err != nil {
		return r, err
	}
	c, problems, err := config.Load(o.Path)
	if err != nil {
		return r, cli.Usage(err, cli.Unreadable(o.Path, err))
	}
	r.Problems = append(r.Problems, problems...)
	if config.HasErrors(problems) {
		return r, nil
	}
	r.Problems = append(r.Problems, starter.check(c)...)
	unbuilt := builds(o.Path, c)
	r.Problems = append(r.Problems, slices.Concat(unbuilt, hellos(c), lists(ctx, c))...) // [] in JSON, never null
	r.Summary = summary(c, o.Connect, starter.User)
	if !o.Connect || len(unbuilt) > 0 {
		return r, nil
	}
	if _, _, set, err := c.Store.RunAs(); os.Geteuid() == 0 && set && err == nil {
		if err := daemon.SettleToDeliver(c.Store); err != nil { // as the server does that root starts
			return r, err
		}
	}
	answers, problems, err := Connect(ctx, c, starter.Unit)
	r.Answers = append(r.Answers, answers...)
	before := r.Problems
	for _, p := range problems {
		known := slices.ContainsFunc(before, func(b config.Problem) bool { return b.Key == p.Key && !b.Warning })
		if !known && !slices.Contains(r.Problems, p) {
			r.Problems = append(r.Problems, p)
		}
	}
	return r, err
}

// check asks what the starter makes a difference for.
func (s *Starter) check(c *config.Config) []config.Problem {
	problems := c.CheckSystem(s.Opened(c)...)
	for i, p := range problems {
		if p.Key == "store.user" && s.User != "" { // it is not any user who looks that cannot become store.user
			problems[i].Warning = false
		}
	}
	if s.Unit != "" && s.User != "" && c.Store.Owners && !strings.Contains(s.ambient, "cap_setuid") {
		p := c.Place("store.owners")
		p.Text = "the unit " + s.Unit + " has no AmbientCapabilities=CAP_SETUID CAP_SETGID"
		p.Hint = "install the drop-in doorstep-owners.conf, see privileges.md"
		problems = append(problems, p)
	}
	return problems
}

// summary says what is there. Of directories that were not asked it says that, and not that nothing is there.
func summary(c *config.Config, connected bool, user string) string {
	var parts []string
	if len(c.Domains)+len(c.Users) > 0 || len(c.Directories) == 0 {
		parts = append(parts, cli.Count(len(c.Domains), "domain"), cli.Count(len(c.Users), "user"))
	}
	var names []string
	for _, d := range c.Directories {
		names = append(names, d.Name)
	}
	said := strings.Join(parts, ", ")
	if len(names) > 0 && !connected {
		said = strings.Join(slices.DeleteFunc([]string{said, "not asked: " + strings.Join(names, ", ") +
			", which check --connect does"}, func(s string) bool { return s == "" }), "; ")
	} else if said == "" {
		said = fmt.Sprintf("%s asked", cli.Plural(len(names), "directory", "directories"))
	}
	if user != "" {
		said += "; tried as user " + user
	}
	return said
}
