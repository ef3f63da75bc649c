package mailbox

import (
	"context"
	"fmt"
	"time"
)

// A committer takes a copy from memory to durable in two steps, each blocking until it is
// true, so that copies that stand or fall together can all take the first before any takes
// the second. After an error the caller withdraws the copy: a committer tries nothing twice.
//
// The steps of different copies run at the same time; a committer bounds and orders them. A slow
// file system never holds up another.
type committer interface {
	// seal writes the copy into tmp/. After nil its content is durable and nobody sees it.
	seal(ctx context.Context, f *mailfile) error
	// publish gives a sealed copy its name in new/. After nil the name is durable.
	publish(ctx context.Context, f *mailfile) error
	// syncDir makes the names in a directory durable.
	syncDir(dir directory) error
}

// committer returns what d asks for. gate bounds the work on each file system.
func (d Durability) committer(sys system, parallel int, told func(time.Duration, int, error)) (committer, *turnstile[uint64], error) {
	switch d {
	case Group:
		gate := newTurnstile[uint64](parallel)
		return &group{gate: gate, rounds: newRounds(sys, gate, told)}, gate, nil
	case Each:
		gate := newTurnstile[uint64](1)
		return &each{sys: sys, gate: gate, told: told}, gate, nil
	case None:
		gate := newTurnstile[uint64](parallel)
		return &none{gate: gate}, gate, nil
	}
	return nil, nil, fmt.Errorf("durability %v is unknown", d)
}

// sealSynced is seal for those who sync: write, sync, close, in one turn.
func sealSynced(ctx context.Context, gate *turnstile[uint64], f *mailfile) error {
	if err := gate.enter(ctx, f.dir.id.dev); err != nil {
		return fmt.Errorf("wait for the file system of %s: %w", f.to, err)
	}
	defer gate.leave(f.dir.id.dev)
	if err := f.write(); err != nil {
		return err
	}
	if err := f.sync(); err != nil {
		return err
	}
	return f.close()
}

// publishUnsynced renames the copy into new/ in one turn.
func publishUnsynced(ctx context.Context, gate *turnstile[uint64], f *mailfile) error {
	if err := gate.enter(ctx, f.dir.id.dev); err != nil {
		return fmt.Errorf("wait for the file system of %s: %w", f.to, err)
	}
	defer gate.leave(f.dir.id.dev)
	return f.publish()
}
