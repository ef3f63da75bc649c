package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/internal/guard"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// A generation is a configuration in force, with all that was built of it. A session keeps the one
// it began with.
type generation struct {
	config  *config.Config
	agent   *delivery.Agent
	secrets *secrets
	servers []*lmtp.Server // one for each door; nil where the configuration has no such listener any more
}

// newGeneration builds what c says, for these doors. The store of the generation before is used
// further where nothing about it has changed: it knows which directories are durable, and who waits
// for a sync.
func newGeneration(c *config.Config, doors []*door, before *generation, secrets *secrets, gate *gate, w *watch, log *slog.Logger) (*generation, error) {
	g := &generation{config: c, secrets: secrets}
	var err error
	if before != nil && sameStore(before.config, c) {
		g.agent, err = buildAgentOn(before.agent.Store, c, w, log)
	} else {
		g.agent, err = buildAgent(c, w, log)
		if err == nil {
			store := g.agent.Store
			go guard.Run(log, "sweeper", func() { store.SweepBehind(context.Background(), tellSwept(log)) }) // until the store is closed
		}
	}
	if err != nil {
		return nil, failed(err, "doorstep check tells what is wrong with the configuration")
	}
	for _, d := range doors {
		server, err := g.serverFor(d, gate, w, log)
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

// serverFor is the server of a door.
func (g *generation) serverFor(d *door, gate *gate, w *watch, log *slog.Logger) (*lmtp.Server, error) {
	for _, l := range g.config.Listen {
		if l.Network != d.listen.Network || l.Address != d.listen.Address {
			continue
		}
		if err := suits(l, d.socket); err != nil {
			return nil, err
		}
		server, err := buildServer(g.config, l, g.agent, w, log, gate)
		if err != nil {
			return nil, err
		}
		return server, g.secrets.secure(server, l)
	}
	return nil, nil
}

// wait returns when the sessions of g have ended.
func (g *generation) wait() {
	for _, s := range g.servers {
		if s != nil {
			s.Wait()
		}
	}
}

// close gives back what g holds; its store only where none of others has the same. It waits for
// warnings that are on their way until ctx ends, and for databases to hang up: call it without a lock.
func (g *generation) close(ctx context.Context, others ...*generation) (err error) {
	err = closeAgent(ctx, g.agent)
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
