package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// retirement is longer than a transaction asks for recipients.
const retirement = 10 * time.Minute

// A reloader is the handler of all listeners. It has the accounts of the configuration that is
// in force, and others after SIGHUP; a transaction keeps those it began with.
type reloader struct {
	path  string
	log   *slog.Logger
	agent atomic.Pointer[delivery.Agent]

	started *config.Config // what was in force at the start
}

func newReloader(path string, c *config.Config, agent *delivery.Agent, log *slog.Logger) *reloader {
	r := &reloader{path: path, log: log, started: c}
	r.agent.Store(agent)
	return r
}

// Mail begins a transaction.
func (r *reloader) Mail(ctx context.Context, s *lmtp.Session, env *lmtp.Envelope) (lmtp.Transaction, error) {
	return r.agent.Load().Mail(ctx, s, env)
}

// watch reloads at each SIGHUP until ctx ends. The signal is taken from the moment of the
// call: where nobody takes it, it ends the program.
func (r *reloader) watch(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-hangup:
				if err := r.reload(); err != nil {
					r.log.Error("configuration not reloaded, the old one stays in force", "error", err)
				}
			case <-ctx.Done():
				signal.Stop(hangup)
				return
			}
		}
	}()
}

// reload takes domains, users and the postmaster from the file as it is now. Either all of them
// count or, where anything is wrong, none. The store stays: what listeners offer, such as
// BINARYMIME, was decided by what it keeps.
func (r *reloader) reload() error {
	c, problems, err := config.Load(r.path)
	if err != nil {
		return err
	}
	for _, p := range problems {
		r.log.Warn("problem of the configuration", "problem", p.String())
	}
	if config.HasErrors(problems) {
		return errors.New(r.path + " cannot be used")
	}
	resolver, err := buildResolver(c, r.log)
	if err != nil {
		return err
	}
	agent := *r.agent.Load()
	old := agent.Resolver
	agent.Resolver = resolver
	r.agent.Store(&agent)
	r.retire(old)
	r.log.Info("configuration reloaded", "domains", len(c.Domains), "users", len(c.Users))
	if waiting := needRestart(r.started, c); len(waiting) > 0 {
		r.log.Warn("what else has changed counts after a restart", "keys", waiting)
	}
	return nil
}

// retire closes the directories of a configuration that is no longer in force, when the transactions
// that began with it are over.
func (r *reloader) retire(old *delivery.Resolver) {
	time.AfterFunc(retirement, func() {
		if err := closeDirectory(old.Directory); err != nil {
			r.log.Warn("close the directories of the old configuration", "error", err)
		}
	})
}

// needRestart names what differs between two configurations and only counts at the start.
func needRestart(a, b *config.Config) (keys []string) {
	for _, part := range []struct {
		key  string
		a, b any
	}{
		{"hostname", a.Hostname, b.Hostname},
		{"listen", a.Listen, b.Listen},
		{"limits", a.Limits, b.Limits},
		{"store", a.Store, b.Store},
		{"tls", a.TLS, b.TLS},
		{"auth", a.Auth, b.Auth},
		{"log", a.Log, b.Log},
		{"user.owner_since", knowsOwners(a), knowsOwners(b)}, // whether RRVS is offered at all
	} {
		if !reflect.DeepEqual(part.a, part.b) {
			keys = append(keys, part.key)
		}
	}
	return keys
}
