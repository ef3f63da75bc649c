package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// slowFlush is how long a flush of the slow disk takes: that of a good hard disk with a cache, or of a volume over
// the network.
const slowFlush = 2 * time.Millisecond

// A bench is a run.
type bench struct {
	options
	dir      string // of this run; removed at its end
	deadline time.Time
}

// measure runs all cases that are asked for.
func measure(ctx context.Context, o options) (*Report, error) {
	b, err := newBench(o)
	if err != nil {
		return nil, err
	}
	defer b.remove()
	r := &Report{
		Date: time.Now().Format(time.DateOnly), Versions: programVersions(),
		Settings: Settings{Rounds: o.rounds, Period: "about " + o.period.String(), Dovecot: dovecotSettings},
	}
	if o.within > 0 {
		r.Settings.Period = "up to " + o.period.String()
	}
	if r.Machine, err = describeMachine(b.dir); err != nil {
		return nil, err
	}
	if r.Machine.LoadBefore > 0.5 {
		say("the load average is %.2f: the figures will not be those of a quiet machine", r.Machine.LoadBefore)
	}
	cases := plan(o)
	for i, c := range cases {
		period := b.periodFor(c, len(cases)-i)
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

// newBench makes the directory of a run, and builds Doorstep there as make does.
func newBench(o options) (*bench, error) {
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
	if err = os.Chmod(dir, 0o755); err == nil && b.doorstep == "" {
		b.doorstep = filepath.Join(dir, "doorstep")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.doorstep,
			"github.com/doorstep-mail/doorstep/cmd/doorstep")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // with cgo it cannot deliver as several users
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("build doorstep: %w\n%s", err, out)
		}
	}
	if err != nil {
		b.remove()
		return nil, err
	}
	return b, nil
}

func (b *bench) remove() {
	say("removing %s", b.dir)
	if err := os.RemoveAll(b.dir); err != nil {
		say("remove: %v", err)
	}
}

// shortestPeriod is the least that says something, and startShare the part of a case's time that is not measuring:
// starting, growing, settling.
const (
	shortestPeriod = 300 * time.Millisecond
	startShare     = 0.45
)

// periodFor is how long a round of the next case may take, when left cases are still to come.
func (b *bench) periodFor(c Case, left int) time.Duration {
	if b.within == 0 {
		return b.period
	}
	rounds := 0
	for _, who := range contenders(b.options) {
		if c.wants(who.name) {
			rounds += b.options.rounds + 1 // and that of the details
		}
	}
	rest := time.Until(b.deadline) / time.Duration(max(left, 1))
	return min(max(time.Duration(float64(rest)*(1-startShare))/time.Duration(max(rounds, 1)), shortestPeriod), b.period)
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
	if c.Slow { // that of the power cut tests: a FUSE server in this process, whose processor time is not counted
		err := mounts.launch(func() {
			powercut.Need(mounts, powercut.Ext4ForMany)
			v := powercut.New(mounts, powercut.Ext4ForMany)
			v.Disk.SlowFlush(slowFlush)
			dir = v.Dir
		})
		if err != nil {
			say("  no slow disk: %v", err)
			return CaseReport{Case: c}, nil
		}
	}
	var entries []*entry
	for _, who := range contenders(b.options) {
		if c.wants(who.name) {
			e := b.start(c, who, filepath.Join(dir, who.name))
			defer e.end()
			entries = append(entries, e)
		}
	}
	err := b.rounds(ctx, c, entries, period)
	report := CaseReport{Case: c}
	for _, e := range entries {
		report.Results = append(report.Results, e.Result)
	}
	return report, err
}

// start starts a contender. One that cannot start is missing, and says why.
func (b *bench) start(c Case, who contender, dir string) *entry {
	e := &entry{contender: who, Result: Result{Contender: who.name, Title: who.title}}
	var err error
	if e.site, err = makeSite(dir, b.doorstep); err == nil {
		e.subject, err = who.start(e.site)
	}
	if err == nil && c.Grown > 0 {
		err = e.grow(c.Box, c.Grown)
	}
	if err != nil {
		e.miss(err)
	}
	return e
}

// miss notes why a contender has no figures.
func (e *entry) miss(err error) {
	e.Missing, e.subject = err.Error(), nil
	say("  %s: %v", e.contender.name, err)
}

// rounds: first one that makes the mailboxes, one that finds how many messages take the period, then those that
// count, and last the one of the details. Idle connections have one round.
func (b *bench) rounds(ctx context.Context, c Case, entries []*entry, period time.Duration) error {
	rounds := b.options.rounds + 3
	if c.Idle > 0 {
		rounds = 1
	}
	for round := range rounds {
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

func (b *bench) round(ctx context.Context, c Case, e *entry, round int, period time.Duration) (err error) {
	switch {
	case c.Idle > 0:
		e.Before, e.Memory, err = e.subject.(*server).idleMemory(ctx, c.Idle) // the floor has no connections
		say("  %-10s %s, before %s", e.contender.name, octets(e.Memory), octets(e.Before))
	case round == 0:
		_, err = e.subject.run(ctx, c.Load, c.warmUp())
	case round == 1:
		var s sample
		s, err = e.subject.run(ctx, c.Load, c.warmUp())
		e.Messages = c.messages(c.warmUp(), s.took, period)
	case round == b.options.rounds+2:
		var d detail
		d, err = e.subject.look(ctx, c.Load, e.Messages)
		e.P50, e.P99, e.Memory = d.p50, d.p99, d.memory
	default:
		var s sample
		if s, err = e.subject.run(ctx, c.Load, e.Messages); err == nil {
			e.add(s, e.Messages*c.Recipients)
			say("  round %d  %-10s %9s/s  %s CPU each", round-1, e.contender.name, humanize.Comma(int64(e.Rates[round-2])),
				micros(e.CPUs[round-2]))
		}
	}
	return err
}

// bulkMost bounds the octets of a round: they must find room in memory and on the disk.
const bulkMost = 1024 * mib

// messages is how many messages take about the period, when did messages took so long.
func (c Case) messages(did int, took, period time.Duration) int {
	if c.Messages > 0 {
		return c.Messages
	}
	n := int(float64(did) * period.Seconds() / took.Seconds())
	return max(min(n, bulkMost/(c.Size*c.Recipients)), 2*c.Sessions)
}

// settle lets the disk write what others have left, so that no other contender pays for it.
func (e *entry) settle() {
	if fd, err := unix.Open(e.site.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		_ = errors.Join(unix.Syncfs(fd), unix.Close(fd)) // if it fails, so will what is measured
	}
}

// empty removes the mail of a contender.
func (e *entry) empty() error {
	files, err := filepath.Glob(filepath.Join(e.mail(), "*", "new", "*"))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}
