package daemon

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/sender"
	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

const (
	// lastWarnings is how long warnings that are on their way may take when there are no sessions any more.
	lastWarnings = 5 * time.Second
	// lastCloses is how much longer all else may take, such as a database that does not hang up.
	lastCloses = 3 * time.Second
)

// errLeaving refuses a configuration that comes too late.
var errLeaving = errors.New("the server is stopping")

// instances are the configuration in force, and the earlier ones that still have sessions.
type instances struct {
	log      *slog.Logger
	state    *state.DB // of all; nil: none
	outgoing *outgoing

	// They are closed without mu: closing one waits for warnings, until patience ends, and for databases.
	closing  guard.Group // counted with mu held
	patience context.Context
	hurry    context.CancelFunc // ends patience

	// mu is held for moments only: readyz, status, reload, upgrade and the stop all need it.
	mu      sync.Mutex
	now     *instance
	earlier map[*instance]bool // to whether it is waited for
	count   int                // of all instances there were
	leaving bool
	left    chan struct{} // closed when leaving is set
}

func newInstances(log *slog.Logger) *instances {
	i := &instances{log: log, outgoing: &outgoing{log: log}, earlier: map[*instance]bool{}, left: make(chan struct{})}
	i.patience, i.hurry = context.WithCancel(context.Background())
	return i
}

// inForce returns the configuration and the agent in force, and whether mail is taken.
func (i *instances) inForce() (*config.Config, *delivery.Agent, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now.config, i.now.agent, !i.leaving
}

// present is the instance in force; nil before the first.
func (i *instances) present() *instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

// sends returns what sends reports now; nil: nothing does.
func (i *instances) sends() *sender.Sender {
	if g := i.present(); g != nil {
		return g.sender
	}
	return nil
}

// all are those that may have sessions. mu is held.
func (i *instances) all() []*instance {
	all := []*instance{i.now}
	for g := range i.earlier {
		all = append(all, g)
	}
	return all
}

// A ForgetReport is what came of the order to forget.
type ForgetReport struct {
	Error string `json:"error,omitempty"`
}

// forget drops what the directories of all instances remember of an address, or of @DOMAIN.
func (i *instances) forget(about string) (r ForgetReport) {
	i.mu.Lock()
	all := i.all()
	i.mu.Unlock()
	for _, g := range all {
		if err := build.Forget(g.agent.Router.Resolver, about); err != nil {
			r.Error = err.Error()
		}
	}
	return r
}

// leave refuses other configurations from now on, and returns the instances that may have sessions.
func (i *instances) leave() []*instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.leaving {
		i.leaving = true
		close(i.left)
	}
	return i.all()
}

// leaveTo is leave in favor of another process; it fails where the server is stopping already.
func (i *instances) leaveTo() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.leaving {
		return errLeaving
	}
	i.leaving = true
	close(i.left)
	return nil
}

// unlessLeaving does a job that close waits for, and returns when it is done; it fails where the server is stopping.
func (i *instances) unlessLeaving(name string, job func()) error {
	done := make(chan struct{})
	i.mu.Lock()
	if i.leaving {
		i.mu.Unlock()
		return errLeaving
	}
	i.beside(name, func() {
		defer close(done)
		job()
	})
	i.mu.Unlock()
	<-done
	return nil
}

// replace makes g the instance in force and has takeOver hand the connections over to it. Earlier instances of which
// no server is among those that serve are closed as soon as their sessions have ended.
func (i *instances) replace(g *instance, takeOver func() (serving []*lmtp.Server, err error)) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.leaving {
		return errLeaving
	}
	if i.now != nil {
		i.earlier[i.now] = false
	}
	i.now, i.count = g, i.count+1
	g.number = i.count
	serving, err := takeOver()
	for g, waiting := range i.earlier {
		if !waiting && !g.hasAny(serving) {
			i.earlier[g] = true
			i.beside("reload", func() { i.retire(g) })
		}
	}
	i.dismiss(serving)
	return err
}

// maxEarlier is how many earlier instances may have sessions, so that clients that stay connected, idle, do not keep
// the accounts of every configuration there ever was in memory.
const maxEarlier = 2

// dismiss ends the idle sessions of all but the last earlier instances, with 421; others end with their message. mu is
// held.
func (i *instances) dismiss(serving []*lmtp.Server) {
	if len(i.earlier) <= maxEarlier {
		return
	}
	byAge := slices.SortedFunc(maps.Keys(i.earlier), func(a, b *instance) int { return cmp.Compare(a.number, b.number) })
	for _, g := range byAge[:len(byAge)-maxEarlier] {
		if g.dismissed || g.hasAny(serving) {
			continue
		}
		g.dismissed = true
		for _, server := range g.servers {
			if server != nil {
				i.beside("reload", func() { _ = server.Shutdown(i.patience) }) // it says so itself where a delivery hangs
			}
		}
	}
}

// retire waits for the sessions of an earlier instance, and closes it.
func (i *instances) retire(g *instance) {
	defer giveMemoryBack()
	g.wait()
	i.mu.Lock()
	delete(i.earlier, g)
	others := i.all()
	i.mu.Unlock()
	if err := g.close(i.patience, others...); err != nil {
		i.log.Error("close an earlier configuration", "error", err)
	}
}

// beside closes something in a goroutine that close waits for. mu is held.
func (i *instances) beside(job string, end func()) {
	i.closing.Go(func() { guard.Run(i.log, job, end) })
}

// close closes what configurations hold, and ends the programs that were started for them. What does not end in time
// is left: the kernel closes it with the process.
func (i *instances) close() {
	i.mu.Lock()
	i.beside("stop", func() {
		if err := i.now.close(i.patience); err != nil {
			i.log.Error("stop", "error", err)
		}
	})
	for g, waited := range i.earlier {
		if !waited { // a socket that failed to go over left it in force
			i.beside("stop", func() { _ = g.close(i.patience, i.now) }) // what i.now.close says is enough
		}
	}
	i.beside("stop", i.outgoing.end)
	if i.state != nil {
		i.beside("stop", func() {
			if err := i.state.Close(i.patience); err != nil {
				i.log.Error("stop", "error", err)
			}
		})
	}
	i.mu.Unlock()
	defer time.AfterFunc(lastWarnings, i.hurry).Stop()
	closed := make(chan struct{})
	go guard.Run(i.log, "stop", func() {
		defer close(closed)
		i.closing.Wait()
	})
	select {
	case <-closed:
	case <-time.After(lastWarnings + lastCloses):
		i.log.Warn("stopped with something left that did not end: a warning's program, or a connection to a directory")
	}
}
