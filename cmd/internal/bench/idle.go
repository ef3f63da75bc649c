package main

import (
	"context"
	"fmt"
	"time"
)

// idle opens connections that say hello and nothing more, and takes what memory each costs.
func (b *bench) idle(ctx context.Context, c Case, entries []*entry) error {
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		server, ok := e.subject.(*server)
		if !ok {
			continue // missing: it has said why
		}
		var err error
		if e.Before, e.Memory, err = server.idleMemory(ctx, c.Idle); err != nil {
			e.miss(err)
			continue
		}
		say("  %-10s %s, before %s", e.contender.name, octets(e.Memory), octets(e.Before))
	}
	return nil
}

// idleMemory is the memory without connections and with so many.
func (s *server) idleMemory(ctx context.Context, connections int) (before, with int64, err error) {
	if before, err = s.steadyMemory(ctx); err != nil {
		return 0, 0, err
	}
	clients, err := s.dial(ctx, connections)
	defer hangUp(clients)
	if err != nil {
		return 0, 0, fmt.Errorf("behind %d connections: %w", len(clients), err)
	}
	with, err = s.steadyMemory(ctx)
	return before, with, err
}

// steadyMemory waits a while for the memory to settle: what reading its configuration took, a
// server gives back at leisure.
func (s *server) steadyMemory(ctx context.Context) (int64, error) {
	last, err := sessionMemory(s.process.Pid())
	for range 20 {
		if err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Second):
		}
		var now int64
		now, err = sessionMemory(s.process.Pid())
		if now >= last-last/200 {
			return now, err
		}
		last = now
	}
	return last, err
}
