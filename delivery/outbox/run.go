package outbox

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

const (
	// settle is how long a report waits for those of other recipients of its message, to leave as one.
	settle = time.Second
	// rescan is how often the directory is looked at for entries of other processes.
	rescan = time.Minute
	// atOnce is how many reports are being sent at the same time.
	atOnce = 4
	// maxGroup is the most recipients of one report: each has a descriptor until it is sent.
	maxGroup = 100
	// maxEntry bounds what is read of a file, in octets.
	maxEntry = 256 << 10
)

// A Verdict is what became of a report.
type Verdict struct {
	Err       error // nil: the server has taken it
	Temporary bool  // another try may help
	Down      bool  // no other report can be sent now either
	Barred    bool  // because the server does not let us in
	Uncertain bool  // the server may have taken it all the same
	// Reason says in a word why a report is dropped. [refused]
	Reason string
	// Reply is what the server has answered, and UTF8 says that the report went by SMTPUTF8.
	Reply string
	UTF8  bool
}

// A Send hands over one report on recipients of one message.
type Send func(context.Context, []Entry) Verdict

// Run sends what waits, until ctx ends.
func (b *Box) Run(ctx context.Context, send Send) {
	for {
		b.repair()
		if err := b.scan(); err != nil {
			b.stuck(err)
			b.opts.Log.Error("outbox cannot be read", "dir", b.opts.Dir, "error", err)
		}
		b.round(ctx, send)
		b.Offers() // says so if that has changed
		select {
		case <-ctx.Done():
			return
		case <-time.After(b.pause()):
		case <-b.wake:
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
			}
		}
	}
}

// pause is how long nothing is due.
func (b *Box) pause() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	pause := rescan
	for _, a := range b.waiting {
		pause = min(pause, time.Until(a.next))
	}
	return max(pause, time.Until(b.quiet), settle)
}

// repair finds out whether the outbox can be written to again.
func (b *Box) repair() {
	b.mu.Lock()
	broken := b.valve.broken != nil
	b.mu.Unlock()
	if broken {
		_ = b.ready() // which notes what is wrong
	}
}

// round sends what is due.
func (b *Box) round(ctx context.Context, send Send) {
	var group guard.Group
	defer group.Wait()
	places := make(chan struct{}, atOnce)
	names := b.due(time.Now())
	for len(names) > 0 {
		places <- struct{}{}
		if ctx.Err() != nil || b.isQuiet() {
			return
		}
		held := b.hold(&names)
		if held == nil {
			<-places
			continue
		}
		group.Go(func() {
			defer func() { <-places }()
			b.send(ctx, held, send)
		})
	}
}

func (b *Box) isQuiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.quiet)
}

// due are the names of what is to be sent now, those that may be sent as one side by side.
func (b *Box) due(now time.Time) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.quiet) {
		return nil
	}
	var names []string
	for name, a := range b.waiting {
		if !now.Before(a.next) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(x, y string) int {
		return cmp.Or(cmp.Compare(b.waiting[x].group, b.waiting[y].group),
			b.waiting[x].since.Compare(b.waiting[y].since))
	})
	return names
}

// A held entry is locked: no other process sends it.
type held struct {
	Entry
	name string
	file *os.File
}

// hold takes the first of names, and those right after it that may be sent with it. It is nil where the first is not
// to be sent: another process is at it, or has sent it, or the file is damaged.
func (b *Box) hold(names *[]string) []*held {
	first := b.open((*names)[0])
	*names = (*names)[1:]
	if first == nil {
		return nil
	}
	group := []*held{first}
	for len(*names) > 0 && len(group) < maxGroup {
		next := b.open((*names)[0])
		if next != nil && (next.group() != first.group() || next.Sender != first.Sender) {
			_ = next.file.Close() // of the next group
			break
		}
		*names = (*names)[1:]
		if next != nil {
			group = append(group, next)
		}
	}
	return group
}

// open locks and reads an entry.
func (b *Box) open(name string) *held {
	f, err := os.OpenFile(b.path("new", name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, errNotThere) {
		b.done(name)
		return nil
	}
	if err != nil {
		b.later(name)
		b.opts.Log.Error("report cannot be read", "entry", name, "error", err)
		return nil
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = f.Close() // another process has it
		b.later(name)
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err != nil {
		_ = f.Close()
		b.later(name)
		b.opts.Log.Error("report cannot be read", "entry", name, "error", err)
		return nil
	}
	if _, err := os.Lstat(b.path("new", name)); errors.Is(err, errNotThere) {
		_ = f.Close() // another process has sent it in the meantime
		b.done(name)
		return nil
	}
	entry, err := decode(content)
	if err != nil {
		_ = f.Close()
		b.setAside(name, err)
		return nil
	}
	return &held{entry, name, f}
}

// setAside keeps a file that cannot be sent where a person may look at it.
func (b *Box) setAside(name string, why error) {
	err := b.disk.Rename(b.path("new", name), b.path("failed", name))
	b.opts.Log.Error("report dropped", "reason", "damaged", "entry", name, "error", errors.Join(why, err))
	if err == nil {
		b.opts.Hooks.report(Damaged, 1)
	}
	if err == nil || errors.Is(err, errNotThere) {
		b.done(name)
		return
	}
	b.later(name)
}

// send hands a group over, and notes what became of it.
func (b *Box) send(ctx context.Context, group []*held, send Send) {
	entries := make([]Entry, len(group))
	names := make([]string, len(group))
	oldest := time.Now()
	for i, h := range group {
		defer h.file.Close()
		entries[i], names[i] = h.Entry, h.name
		if since, _ := b.ours(h.name); since.Before(oldest) {
			oldest = since
		}
	}
	log := b.opts.Log.With("entry", strings.Join(names, ","), "transaction", entries[0].Transaction, "to",
		entries[0].Sender, "recipients", len(entries))
	began := time.Now()
	v := send(ctx, entries)
	if ctx.Err() != nil && v.Err != nil {
		return // the program stops, and the next one goes on
	}
	level, isExpired := b.note(v, oldest)
	b.opts.Hooks.submission(v, time.Since(began))
	switch pause, tries := b.later(names...); {
	case v.Err == nil:
		log.Info("report sent", "attempts", tries, "smtputf8", v.UTF8, "reply", v.Reply, "ms",
			float64(time.Since(began).Microseconds())/1000)
	case v.Temporary && !isExpired:
		log.Log(ctx, level, "report deferred", "attempts", tries, "next", pause.Round(time.Second), "reason", v.Err,
			"uncertain", v.Uncertain)
		return
	case v.Temporary:
		log.Error("report dropped", "reason", "expired", "attempts", tries, "error", v.Err)
	default:
		log.Warn("report dropped", "reason", cmp.Or(v.Reason, "refused"), "attempts", tries, "error", v.Err)
	}
	b.opts.Hooks.report(v.end(), len(entries))
	b.remove(log.Error, names)
}

// remove ends entries. A file that stays would be sent again.
func (b *Box) remove(complain func(string, ...any), names []string) {
	var err error
	for _, name := range names {
		if wrong := b.disk.Remove(b.path("new", name)); wrong != nil && !errors.Is(wrong, errNotThere) {
			err = errors.Join(err, wrong)
			b.later(name)
			continue
		}
		b.done(name)
	}
	if err = errors.Join(err, b.disk.SyncDir(filepath.Join(b.opts.Dir, "new"))); err != nil {
		b.stuck(err)
		complain("outbox cannot be written to: a report may be sent again", "dir", b.opts.Dir, "error", err)
	}
}

// note keeps the last verdict for the valve. It returns how loudly a failure is to be said: the first one after a
// success, and one that a person has to do something about; and whether what waits since then has waited too long.
func (b *Box) note(v Verdict, since time.Time) (level slog.Level, isExpired bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	isExpired = time.Since(since) >= b.opts.Expire
	first := b.valve.failing == nil
	b.valve.failing, b.valve.barred = nil, v.Barred
	if v.Err != nil && v.Temporary {
		b.valve.failing = v.Err
	}
	if v.Down {
		b.quiet = time.Now().Add(b.opts.Retry)
	}
	switch {
	case v.Barred:
		level = slog.LevelError
	case first:
		level = slog.LevelWarn
	}
	return level, isExpired
}

// done forgets an entry.
func (b *Box) done(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(name)
}

// later has entries wait for the next try. It returns how long, and how many tries there were.
func (b *Box) later(names ...string) (pause time.Duration, tries int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		a := b.waiting[name]
		if a == nil {
			continue
		}
		pause = min(b.opts.Retry<<min(a.tries, 20), b.opts.MaxRetry)
		a.tries++
		a.next = time.Now().Add(pause)
		tries = max(tries, a.tries)
	}
	return pause, tries
}

// Flush makes everything due.
func (b *Box) Flush() {
	b.mu.Lock()
	b.quiet = time.Time{}
	for _, a := range b.waiting {
		a.next = time.Time{}
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
