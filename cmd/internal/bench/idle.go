package main

import (
	"context"
	"fmt"
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
		each, err := server.idleMemory(ctx, c.Idle)
		if err != nil {
			e.miss(err)
			continue
		}
		e.Memory = each
		say("  %-10s %s for each connection", e.contender.name, octets(each))
	}
	return nil
}

// idleMemory first has a few messages delivered, so that what a server makes once is there.
func (s *server) idleMemory(ctx context.Context, connections int) (int64, error) {
	l := Load{Sessions: 4, Recipients: 1, Size: 4 * kib, Box: "one"}
	if _, err := s.run(ctx, l, 100); err != nil {
		return 0, err
	}
	before, err := sessionMemory(s.process.Pid())
	if err != nil {
		return 0, err
	}
	clients, err := s.dial(ctx, connections)
	defer hangUp(clients)
	if err != nil {
		return 0, fmt.Errorf("behind %d connections: %w", len(clients), err)
	}
	after, err := sessionMemory(s.process.Pid())
	return (after - before) / int64(connections), err
}
