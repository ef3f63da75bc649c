package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/sender"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// An instance is a configuration in force, with all that was built of it. A session keeps the one
// it began with.
type instance struct {
	config    *config.Config
	agent     *delivery.Agent
	secrets   *build.Secrets
	number    int            // in the order of reloads
	servers   []*lmtp.Server // one for each listener; nil where the configuration has no such listener any more
	sender    *sender.Sender // of reports; nil: none are sent
	dismissed bool           // idle sessions have been ended
}

// newInstance builds what c says, for the listeners of the daemon. The store of the instance in force is used further
// where nothing about it has changed: it knows which directories are durable, and who waits for a sync.
func (d *daemon) newInstance(c *config.Config, secrets *build.Secrets) (*instance, error) {
	g, before := &instance{config: c, secrets: secrets}, d.instances.present()
	c.Limits = d.room.Fit(c.Limits) // CheckSystem has said so
	var err error
	if before != nil && sameStore(before.config, c) {
		g.agent, err = build.AgentOn(before.agent.Store, c, d.observers, d.log)
	} else {
		g.agent, err = build.Agent(c, d.observers, d.log)
		if err == nil {
			store := g.agent.Store
			// until the store is closed
			go guard.Run(d.log, "sweeper", func() { store.RunSweeper(context.Background(), OnSwept(d.log)) })
		}
	}
	if err != nil {
		return nil, cli.Failed(err, "doorstep check tells what is wrong with the configuration")
	}
	build.Remember(g.agent, d.instances.state)
	if err := g.report(d.instances.outgoing, d.observers); err != nil {
		return nil, errors.Join(cli.Failed(err, "doorstep check tells what is wrong with the configuration"),
			g.close(context.Background(), before))
	}
	g.agent.IsShort = d.admission.isShort
	for _, l := range d.sockets.listeners {
		server, err := d.serverFor(g, l)
		if err != nil {
			return nil, errors.Join(err, g.close(context.Background(), before))
		}
		g.servers = append(g.servers, server)
	}
	return g, nil
}

// sameStore reports whether two configurations say the same of what a store is built of.
func sameStore(a, b *config.Config) bool {
	return reflect.DeepEqual(a.Store, b.Store) && reflect.DeepEqual(a.Quota, b.Quota) &&
		a.Limits.DeliveriesPerMailbox == b.Limits.DeliveriesPerMailbox
}

// serverFor is the server of g for a listener; nil where the configuration does not have the listener.
func (d *daemon) serverFor(g *instance, at *listener) (*lmtp.Server, error) {
	for _, l := range g.config.Listen {
		if l.Network != at.listen.Network || l.Address != at.listen.Address {
			continue
		}
		if err := compatible(l, at.socket); err != nil {
			return nil, err
		}
		server, err := build.Server(g.config, l, g.agent, d.observers, d.log)
		if err != nil {
			return nil, err
		}
		if server.Peers.Admit, err = d.admission.admit(l); err != nil {
			return nil, err
		}
		server.Limits.Scarce = d.admission.scarce
		return server, g.secrets.Secure(server, l)
	}
	return nil, nil
}

// report has an instance promise and send reports, where its configuration has an MTA to give them to.
func (g *instance) report(by *outgoing, w *observe.Observers) (err error) {
	if !g.config.Submission.IsOn() {
		return nil
	}
	if g.sender, err = build.Sender(g.config); err != nil {
		return err
	}
	box, err := by.open(g.config, w)
	if err != nil {
		return err
	}
	build.Report(g.agent, g.config, box)
	return nil
}

// hasAny reports whether one of these servers is of g.
func (g *instance) hasAny(servers []*lmtp.Server) bool {
	return slices.ContainsFunc(g.servers, func(s *lmtp.Server) bool { return s != nil && slices.Contains(servers, s) })
}

// wait returns when the sessions of g have ended.
func (g *instance) wait() {
	for _, s := range g.servers {
		if s != nil {
			s.Wait()
		}
	}
}

// close closes what g holds; its store only if none of others has the same. It waits for
// warnings that are on their way until ctx ends, and for databases to hang up: call it without a lock.
func (g *instance) close(ctx context.Context, others ...*instance) (err error) {
	err = build.CloseAgent(ctx, g.agent)
	for _, o := range others {
		if o != nil && o.agent.Store == g.agent.Store {
			return err
		}
	}
	if e := g.agent.Store.Close(); e != nil {
		err = errors.Join(err, fmt.Errorf("close the store: %w", e))
	}
	return err
}

// OnSwept logs what the server's own sweeping finds: what it removed, and what went wrong.
func OnSwept(log *slog.Logger) func(mailbox.Dest, int, error) {
	return func(to mailbox.Dest, removed int, err error) {
		guard.Report(log.With("maildir", to.String()), "sweeper", err)
		switch {
		case err != nil:
			log.Warn("sweep", "maildir", to.String(), "removed", removed, "error", err)
		case removed > 0:
			log.Info("swept", "maildir", to.String(), "removed", removed)
		}
	}
}
