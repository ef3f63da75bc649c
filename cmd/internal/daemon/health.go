package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// healthPatience is how long a disk or a directory may take to say that it is well.
const healthPatience = 3 * time.Second

// A health finds out whether mail can be taken now.
type health struct {
	// inForce returns the configuration and the agent in force, and false while the server stops.
	inForce func() (*config.Config, *delivery.Agent, bool)
	store   probe
	log     *slog.Logger
}

// problems are the reasons why mail cannot be taken; none where all is well.
func (h *health) problems(ctx context.Context) []string {
	c, agent, taking := h.inForce()
	if !taking {
		return []string{"the server is stopping"}
	}
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	var problems []string
	for _, err := range []error{h.storeProblem(ctx, c), directoryProblem(ctx, c, agent)} {
		guard.Report(h.log, "health check", err)
		if err != nil {
			problems = append(problems, address.Readable(err.Error()))
		}
	}
	return append(problems, hanging(agent)...)
}

// hanging says which file systems and directories do not answer.
func hanging(agent *delivery.Agent) (problems []string) {
	states := agent.Store.FileSystems()
	if chain, ok := agent.Router.Resolver.Directory.(*directory.Chain); ok {
		states = append(states, chain.States()...)
	}
	for _, s := range states {
		if s.Open {
			problems = append(problems, s.String())
		}
	}
	return problems
}

// storeProblem is why the store cannot be written to.
func (h *health) storeProblem(ctx context.Context, c *config.Config) error {
	root := c.Store.Root()
	if root == "" {
		return nil // homes may be anywhere
	}
	_, err := h.store.ask(ctx, root)
	return err
}

// directoryProblem is why accounts cannot be looked up. It asks for the postmaster, who is there
// or not: an answer is all that counts.
func directoryProblem(ctx context.Context, c *config.Config, agent *delivery.Agent) error {
	to := address.Address{Local: "postmaster"}
	if c.Postmaster.IsNull() {
		to.Domain = c.Hostname // directories that know domains are asked for it
		if len(c.Domains) > 0 {
			to.Domain = c.Domains[0].Name
		}
	}
	err := agent.Router.Decide(ctx, &lmtp.Envelope{}, &lmtp.Recipient{To: to}).Err
	if route.NoAnswer(err) {
		return fmt.Errorf("directory: %w", errors.Unwrap(err))
	}
	return nil
}

// disk is the room for mail, nil where the store has no fixed root or does not answer.
func (h *health) disk(ctx context.Context) *status.Disk {
	c, _, _ := h.inForce()
	if c.Store.Root() == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	d, err := h.store.ask(ctx, c.Store.Root())
	if d == nil || err != nil && d.Size == 0 {
		return nil
	}
	return d
}

// A probe asks file systems how they are. One that hangs keeps one goroutine, however often it is asked: the others
// wait for the same answer, and as soon as it is late none does.
type probe struct {
	look func(root string) (*status.Disk, error) // default probeStore

	mu      sync.Mutex
	running map[string]*probed // by root
}

type probed struct {
	late chan struct{} // closed after healthPatience
	done chan struct{}
	disk *status.Disk
	err  error
}

func (p *probe) ask(ctx context.Context, root string) (*status.Disk, error) {
	r := p.begin(root)
	select {
	case <-r.done:
		return r.disk, r.err
	case <-r.late:
	case <-ctx.Done():
	}
	return nil, fmt.Errorf("store %s does not answer", root)
}

// begin looks at a root, unless another check does.
func (p *probe) begin(root string) *probed {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.running[root]; r != nil {
		return r
	}
	r := &probed{late: make(chan struct{}), done: make(chan struct{})}
	late := time.AfterFunc(healthPatience, func() { close(r.late) })
	if p.running == nil {
		p.running = map[string]*probed{}
	}
	p.running[root] = r
	look := p.look
	if look == nil {
		look = probeStore
	}
	go func() {
		r.err = guard.Call(func() (err error) {
			r.disk, err = look(root)
			return err
		})
		p.mu.Lock()
		delete(p.running, root)
		p.mu.Unlock()
		late.Stop()
		close(r.done)
	}()
	return r
}

// probeStore looks whether mail can be written below root. It writes nothing.
func probeStore(root string) (*status.Disk, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(root, &fs); err != nil {
		return nil, fmt.Errorf("store %s: %w", root, err)
	}
	block := uint64(fs.Frsize)
	d := &status.Disk{Path: root, Free: fs.Bavail * block, Size: fs.Blocks * block, FreeInodes: fs.Ffree, Inodes: fs.Files}
	// As the kernel sees it, which knows of file systems that were remounted read-only.
	if err := unix.Faccessat(unix.AT_FDCWD, root, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return d, fmt.Errorf("store %s cannot be written to: %w", root, err)
	}
	if d.Free == 0 || d.Inodes > 0 && d.FreeInodes == 0 {
		return d, fmt.Errorf("store %s is full", root)
	}
	return d, nil
}
