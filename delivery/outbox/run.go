package outbox

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

const (
	// settle is how long a report waits for those of other recipients of its message, to leave as one.
	settle = time.Second
	// unwell is how often a directory is looked at that cannot be used.
	unwell = 5 * time.Second
	// atOnce is how many reports are being sent at the same time.
	atOnce = 4
	// LastReplies is how long those may take that are being sent when Run is to end. One whose end the server has, and
	// whose reply was not read, would be sent twice.
	LastReplies = 3 * time.Second
	// stepPatience bounds a step that is taken in the end, waited for or not.
	stepPatience = 5 * time.Second
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

// Run sends what waits, until ctx ends. It returns in seconds then, whatever the file system does.
func (b *Box) Run(ctx context.Context, send Send) {
	for ctx.Err() == nil {
		b.survey(ctx)
		b.round(ctx, send)
		b.Offers() // says so if that has changed
		select {
		case <-ctx.Done():
		case <-time.After(b.pause()):
		case <-b.wake:
			select {
			case <-ctx.Done():
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
	if b.valve.broken != nil {
		pause = unwell
	}
	for _, a := range b.waiting {
		pause = min(pause, time.Until(a.next))
	}
	return max(pause, time.Until(b.quiet), settle)
}

// round sends what is due.
func (b *Box) round(ctx context.Context, send Send) {
	if b.breaker.Err() != nil || !b.removeOver() {
		return
	}
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, soon(cancel))()
	var group guard.Group
	defer group.Wait()
	q := b.due(time.Now())
	defer q.close()
	places := make(chan struct{}, atOnce)
	for {
		places <- struct{}{}
		if ctx.Err() != nil || b.isQuiet() {
			return
		}
		held := q.group(ctx)
		if held == nil {
			return
		}
		group.Go(func() {
			defer func() { <-places }()
			b.send(sending, held, send)
		})
	}
}

// soon calls end when those that are being sent have had their time.
func soon(end func()) func() {
	return func() { time.AfterFunc(LastReplies, end) }
}

func (b *Box) isQuiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.quiet)
}

// send hands a group over, and notes what became of it.
func (b *Box) send(ctx context.Context, group []*held, send Send) {
	entries, names := make([]Entry, len(group)), namesOf(group)
	old := false
	for i, h := range group {
		entries[i] = h.Entry
		old = old || b.isOld(h.name)
	}
	log := b.opts.Log.With("entry", strings.Join(names, ","), "transaction", entries[0].Transaction, "to",
		entries[0].Sender, "recipients", len(entries))
	began := time.Now()
	v := verdict(ctx, b.opts.Log, entries, send)
	if ctx.Err() != nil && v.Err != nil {
		b.letGo(group)
		return // the program stops, and the next one goes on
	}
	level := b.note(v)
	b.opts.Hooks.submission(v, time.Since(began))
	switch pause, tries := b.later(names...); {
	case v.Err == nil:
		log.Info("report sent", "attempts", tries, "smtputf8", v.UTF8, "reply", v.Reply, "ms",
			float64(time.Since(began).Microseconds())/1000)
	case v.Temporary && !old:
		b.letGo(group)
		log.Log(ctx, level, "report deferred", "attempts", tries, "next", pause.Round(time.Second), "reason", v.Err,
			"uncertain", v.Uncertain)
		return
	case v.Temporary:
		log.Error("report dropped", "reason", "expired", "attempts", tries, "error", v.Err)
	default:
		log.Warn("report dropped", "reason", cmp.Or(v.Reason, "refused"), "attempts", tries, "error", v.Err)
	}
	b.opts.Hooks.report(v.end(), len(entries))
	b.remove(log, group)
}

// verdict is that of send. A bug that one report brings out costs no other.
func verdict(ctx context.Context, log *slog.Logger, entries []Entry, send Send) (v Verdict) {
	err := guard.Call(func() error { v = send(ctx, entries); return nil })
	if err != nil {
		guard.Report(log, "report", err)
		return Verdict{Err: err, Temporary: true}
	}
	return v
}

func namesOf(group []*held) []string {
	names := make([]string, len(group))
	for i, h := range group {
		names[i] = h.name
	}
	return names
}

// remove ends entries that are over, and reports whether that is on the disk. One that stays is not sent again by this
// process, which tries to remove it before it sends others: the next process would send all of them again.
func (b *Box) remove(log *slog.Logger, group []*held) bool {
	b.mu.Lock()
	for _, h := range group {
		if a := b.waiting[h.name]; a != nil {
			a.over = true
		}
	}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stepPatience)
	defer cancel()
	err := b.ask(ctx, question{Always: true, Do: step(func() (err error) {
		for _, h := range group {
			if wrong := b.disk.Remove(b.disk.path("new", h.name)); wrong != nil && !errors.Is(wrong, errNotThere) {
				err = errors.Join(err, wrong)
				continue
			}
			b.done(h.name)
		}
		_ = closeAll(group) // other processes find that they are gone
		return errors.Join(err, b.disk.syncNames())
	})})
	if err == nil {
		return true
	}
	b.found(err)
	log.Error("a report that is over may be sent again", "dir", b.opts.Dir, "error", err)
	b.mu.Lock()
	b.quiet = time.Now().Add(b.opts.Retry)
	b.mu.Unlock()
	return false
}

// removeOver removes what is over and still there. It reports whether nothing is.
func (b *Box) removeOver() bool {
	b.mu.Lock()
	var group []*held
	for name, a := range b.waiting {
		if a.over {
			group = append(group, &held{name: name})
		}
	}
	b.mu.Unlock()
	return len(group) == 0 || !b.isQuiet() && b.remove(b.opts.Log, group)
}

// note keeps the last verdict for the valve. It returns how loudly a failure is to be said: the first one after a
// success, and one that a person has to do something about.
func (b *Box) note(v Verdict) (level slog.Level) {
	b.mu.Lock()
	defer b.mu.Unlock()
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
	return level
}

// Flush makes everything due.
func (b *Box) Flush() {
	b.mu.Lock()
	b.quiet = time.Time{}
	for _, a := range b.waiting {
		a.next = time.Time{}
	}
	b.mu.Unlock()
	b.wakeUp()
}
