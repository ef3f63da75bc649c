package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A ReloadReport is what came of a reload.
type ReloadReport struct {
	Changed  []string `json:"changed"`  // what is in force now and was not before
	Restart  []string `json:"restart"`  // what the file says and counts after a restart
	Problems []string `json:"problems"` // of the file, and of what it names on this machine
	Error    string   `json:"error,omitempty"`
	Hint     string   `json:"hint,omitempty"`
}

// String is what people read; the error is apart.
func (r ReloadReport) String() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(cli.Items(r.Problems), "  ", ""))
	switch {
	case r.Error != "":
		return b.String()
	case len(r.Changed) == 0:
		b.WriteString("reloaded: nothing has changed\n")
	default:
		b.WriteString("reloaded:\n" + cli.Items(r.Changed))
	}
	if len(r.Restart) > 0 {
		b.WriteString("after a restart, or doorstep upgrade:\n" + cli.Items(r.Restart))
	}
	return b.String()
}

// orderPatience is how long a reload or an upgrade waits for the one before it: what that has to read may be on a file
// system that hangs.
const orderPatience = 5 * time.Second

// takeOrder begins a reload or an upgrade, which releases d.orders in the end.
func (d *daemon) takeOrder() error {
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	if d.orders.Acquire(ctx, 1) != nil {
		return fmt.Errorf("another reload or upgrade is under way, and did not end within %s", orderPatience)
	}
	return nil
}

// reload puts the file in force as it is now: all of it or, where anything is wrong, nothing. It
// informs the log too.
func (d *daemon) reload() ReloadReport {
	r := ReloadReport{Changed: []string{}, Restart: []string{}, Problems: []string{}} // [] for programs, not null
	err := d.takeOrder()
	if err == nil {
		defer d.orders.Release(1)
		d.notifier.reloading()
		defer d.notifier.ready("taking mail") // with one configuration or the other
		err = guard.Call(func() error { return d.tryReload(&r) })
		guard.Report(d.log, "reload", err)
	}
	d.observers.Reloaded(err)
	for _, p := range r.Problems {
		d.log.Warn("problem of the configuration", "problem", p)
	}
	if err != nil {
		r.Error, r.Hint = "the old configuration stays in force: "+err.Error(), cli.HintOf(err)
		d.log.Error("configuration not reloaded, the old one stays in force", "error", err)
		return r
	}
	c := d.instances.present().config
	d.log.Info("configuration reloaded", "domains", len(c.Domains), "users", len(c.Users), "changed", r.Changed)
	if len(r.Restart) > 0 {
		d.log.Warn("what else has changed counts after a restart", "keys", r.Restart)
	}
	return r
}

func (d *daemon) tryReload(r *ReloadReport) error {
	c, problems, err := d.loadWhole()
	if err != nil {
		return cli.Failed(err, "the server reads the file as the user who runs it; a program that writes it best moves a "+
			"whole one into its place")
	}
	r.note(problems)
	if config.HasErrors(problems) {
		return cli.Failed(errors.New(d.path+" cannot be used"), "doorstep check tells all that is wrong with it")
	}
	if err := wholeEnough(d.instances.present().config, c); err != nil {
		return cli.Failed(err, "restart the server if that is meant")
	}
	r.note(c.CheckSystem(d.openListeners()...))
	if wanted, why := sandboxFor(c); d.sandbox != nil && wanted == nil {
		return cli.Failed(errors.New("the running process has given up what this needs: "+why), "restart the server")
	} else if wanted != nil {
		if err := d.sandbox.covers(wanted); err != nil {
			return cli.Failed(err, "restart the server")
		}
	}
	secrets, err := d.secretsFor(c)
	if err != nil {
		return err
	}
	g, err := d.newInstance(c, secrets)
	if err != nil {
		return err
	}
	for _, change := range d.instances.present().config.Changes(c) {
		if !change.Restart {
			r.Changed = append(r.Changed, change.What)
		}
	}
	for _, change := range d.started.Changes(c) {
		if change.Restart {
			r.Restart = append(r.Restart, change.What)
		}
	}
	return d.install(g)
}

// openListeners are those whose sockets are open, as the configuration had them at the start.
func (d *daemon) openListeners() []config.Listen {
	if d.sockets.admin == nil {
		return d.started.Listen
	}
	return append(slices.Clone(d.started.Listen), d.started.Admin.Socket)
}

// secretsFor reads keys and passwords again. Where root read them at the start, and the user who
// runs the server now may not, those stay.
func (d *daemon) secretsFor(c *config.Config) (*build.Secrets, error) {
	s, err := build.NewSecrets(c, d.log)
	now := d.instances.present()
	if errors.Is(err, fs.ErrPermission) && reflect.DeepEqual(c.TLS, now.config.TLS) &&
		reflect.DeepEqual(c.Auth, now.config.Auth) {
		d.log.Warn("keys or passwords can no longer be read, those read before stay in force", "error", err)
		return now.secrets, nil
	}
	return s, err
}

// note adds problems, each once.
func (r *ReloadReport) note(problems []config.Problem) {
	for _, p := range problems {
		if !slices.Contains(r.Problems, p.String()) {
			r.Problems = append(r.Problems, p.String())
		}
	}
}
