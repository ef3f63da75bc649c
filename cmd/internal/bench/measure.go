package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// slowCreate is how many microseconds the making of a file should stay under.
const slowCreate = 60

// A bench is a run.
type bench struct {
	options
	dir      string // of this run; removed at its end
	deadline time.Time
}

// measure runs all cases that are asked for.
func measure(ctx context.Context, o options) (*Report, error) {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return nil, err
	}
	if err := onDisk(o.dir); err != nil {
		return nil, err
	}
	parent, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "run-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, deadline: time.Now().Add(o.within)}
	defer b.remove()
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if err := b.build(); err != nil {
		return nil, err
	}
	r := &Report{
		Date: time.Now().Format(time.DateOnly), Versions: programVersions(),
		Settings: Settings{Rounds: o.rounds, Dovecot: dovecotSettings},
	}
	if r.Machine, err = describeMachine(dir); err != nil {
		return nil, err
	}
	if r.Machine.LoadBefore > 0.5 {
		say("the load average is %.2f: the figures will not be those of a quiet machine", r.Machine.LoadBefore)
	}
	if r.Machine.CreateUS > slowCreate {
		say("making a file takes %.0f µs: ext4 is slow at it for some minutes after many were removed; wait, and begin again",
			r.Machine.CreateUS)
	}
	if r.Allocations, err = allocations(); err != nil {
		say("the allocations of a message are not known: %v", err)
	}
	cases := plan(o)
	for i, c := range cases {
		period := b.periodFor(c, len(cases)-i)
		r.Settings.Period = periods(r.Settings.Period, period)
		say("case %d of %d: %s, rounds of %v", i+1, len(cases), c.Title, period.Round(time.Millisecond))
		result, err := b.measureCase(ctx, c, period)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		r.Cases = append(r.Cases, result)
	}
	r.Machine.LoadAfter = loadAverage()
	return r, nil
}

// build builds Doorstep as make does.
func (b *bench) build() error {
	if b.doorstep != "" {
		return nil
	}
	b.doorstep = filepath.Join(b.dir, "doorstep")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.doorstep,
		"github.com/doorstep-mail/doorstep/cmd/doorstep")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build doorstep: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) remove() {
	say("removing %s", b.dir)
	if err := os.RemoveAll(b.dir); err != nil {
		say("remove: %v", err)
	}
}

// An entry is a contender in a case.
type entry struct {
	contender
	site
	Result
	subject subject
}

// measureCase starts the contenders, runs their rounds in turn, and stops them.
func (b *bench) measureCase(ctx context.Context, c Case, period time.Duration) (CaseReport, error) {
	mounts, dir := new(host), b.dir
	defer mounts.end()
	if c.Slow {
		var err error
		if dir, err = slowDisk(mounts); err != nil {
			say("  no slow disk: %v", err)
			return CaseReport{Case: c}, nil
		}
	}
	entries := b.start(c, dir)
	defer func() {
		for _, e := range entries {
			e.end()
		}
	}()
	var err error
	if c.Idle > 0 {
		err = b.idle(ctx, c, entries)
	} else {
		err = b.rounds(ctx, c, entries, period)
	}
	report := CaseReport{Case: c}
	for _, e := range entries {
		report.Results = append(report.Results, e.Result)
	}
	return report, err
}

// start starts who takes part. Who cannot is missing, and says why.
func (b *bench) start(c Case, dir string) []*entry {
	var entries []*entry
	for _, who := range contenders(b.options) {
		if !c.wants(who.name) {
			continue
		}
		e := &entry{contender: who, Result: Result{Contender: who.name, Title: who.title}}
		entries = append(entries, e)
		var err error
		if e.site, err = makeSite(new(host), filepath.Join(dir, who.name)); err == nil {
			e.subject, err = who.start(e.site)
		}
		if err == nil && c.Grown > 0 {
			err = grow(e.site, c.Box, c.Grown)
		}
		if err != nil {
			e.miss(err)
		}
	}
	return entries
}

// miss notes why a contender has no figures.
func (e *entry) miss(err error) {
	e.Missing, e.subject = err.Error(), nil
	say("  %s: %v", e.contender.name, err)
}

// rounds: first one that brings the mailboxes into being, one that finds how many messages
// take the period, then those that count, and last the one of the details.
func (b *bench) rounds(ctx context.Context, c Case, entries []*entry, period time.Duration) error {
	for round := range b.options.rounds + 3 {
		for _, e := range entries {
			if e.subject == nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			e.settle()
			if err := b.round(ctx, c, e, round, period); err != nil {
				e.miss(err)
			}
			if c.Bulk {
				if err := e.empty(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bench) round(ctx context.Context, c Case, e *entry, round int, period time.Duration) error {
	switch round {
	case 0:
		_, err := e.subject.run(ctx, c.Load, c.warmUp())
		return err
	case 1:
		s, err := e.subject.run(ctx, c.Load, c.warmUp())
		e.Messages = c.messages(c.warmUp(), s.took, period)
		return err
	case b.options.rounds + 2:
		d, err := e.subject.look(ctx, c.Load, e.Messages)
		e.addDetail(d)
		return err
	}
	s, err := e.subject.run(ctx, c.Load, e.Messages)
	if err == nil {
		e.add(s, e.Messages*c.Recipients)
		say("  round %d  %-10s %9s/s  %s CPU each", round-1, e.contender.name, thousands(int(e.Rates[round-2])),
			micros(e.cpus[round-2]))
	}
	return err
}

// bulkMost bounds the octets of a round: they must find room in memory and on the disk.
const bulkMost = 1024 * mib

// messages is how many take about the period, when so many took so long.
func (c Case) messages(did int, took, period time.Duration) int {
	if c.Messages > 0 {
		return c.Messages
	}
	n := int(float64(did) * period.Seconds() / took.Seconds())
	n = min(n, bulkMost/(c.Size*c.Recipients))
	return max(n, 2*c.Sessions)
}

// settle lets the disk write what others have left, so that nobody pays for it.
func (e *entry) settle() {
	fd, err := unix.Open(e.site.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_ = unix.Syncfs(fd) // if it fails, so will what is measured
}

// empty removes the mail of a contender.
func (e *entry) empty() error {
	files, err := filepath.Glob(filepath.Join(e.mail(), "*", "new", "*"))
	for _, file := range files {
		if err == nil {
			err = os.Remove(file)
		}
	}
	return err
}
