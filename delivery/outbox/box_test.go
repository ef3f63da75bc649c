package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/google/go-cmp/cmp"
)

func entry(transaction, to string) Entry {
	return Entry{
		Transaction: transaction, Sender: "s@src.example", EnvelopeID: "QQ+1",
		Original: address.Original{Type: "utf-8", Address: "用户@dst.example"}, Final: to,
		Arrived: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Header: []byte("Subject: x\r\n\x00\xff"), Cut: true,
	}
}

func open(t *testing.T, o Options) *Box {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(Scratch(t), "outbox")
	}
	if o.Host == "" {
		o.Host = "mx.dst.example"
	}
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func put(t *testing.T, b *Box, entries ...Entry) {
	t.Helper()
	for _, e := range entries {
		d, err := b.Stage(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Publish(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

// A server takes reports, and answers as its fields say.
type server struct {
	mu      sync.Mutex
	taken   [][]Entry
	tried   []time.Time
	verdict func(group []Entry) Verdict
}

func (s *server) send(_ context.Context, group []Entry) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = append(s.tried, time.Now())
	if s.verdict != nil {
		if v := s.verdict(group); v.Err != nil {
			return v
		}
	}
	s.taken = append(s.taken, group)
	return Verdict{}
}

// tries is when a report was tried.
func (s *server) tries() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tried)
}

// answer has the server answer so from now on.
func (s *server) answer(verdict func([]Entry) Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict = verdict
}

// finals are the recipients of each report that was taken.
func (s *server) finals() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, group := range s.taken {
		var names []string
		for _, e := range group {
			names = append(names, e.Final)
		}
		list = append(list, strings.Join(names, " "))
	}
	return list
}

// run runs the outbox, until stop is called.
func run(t *testing.T, b *Box, s *server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx, s.send)
	}()
	return func() {
		cancel()
		<-done
	}
}

func files(t *testing.T, b *Box, sub string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(b.opts.Dir, sub))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

var later = Verdict{Err: errors.New("later"), Temporary: true}

// What was staged is sent when it is published, whole, once; reports of one message leave as one.
func TestSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := open(t, Options{}), &server{}
		defer run(t, b, s)()
		draft, err := b.Stage(t.Context(), entry("1", "u1@dst.example"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + rescan/2)
		if len(s.tries()) > 0 || len(files(t, b, "new")) > 0 {
			t.Error("sent before it was published")
		}
		if err := b.Publish(t.Context(), draft); err != nil {
			t.Fatal(err)
		}
		put(t, b, entry("1", "u2@dst.example"), entry("2", "u3@dst.example"), entry("1", "u4@dst.example"))
		if err := errors.Join(b.Publish(t.Context(), draft), b.Discard(t.Context(), draft)); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * settle)
		synctest.Wait()
		got := map[string]Entry{}
		s.mu.Lock()
		for _, group := range s.taken {
			for _, e := range group {
				got[e.Final] = e
			}
			if len(group) != map[string]int{"1": 3, "2": 1}[group[0].Transaction] {
				t.Errorf("a report on %d recipients", len(group))
			}
		}
		s.mu.Unlock()
		if diff := cmp.Diff(entry("1", "u1@dst.example"), got["u1@dst.example"]); diff != "" || len(got) != 4 {
			t.Errorf("%d recipients %s", len(got), diff)
		}
		if st := b.State(); st.Entries != 0 || st.Octets != 0 || !st.Offers || len(files(t, b, "new")) > 0 {
			t.Errorf("%+v", st)
		}
	})
}

// A message for many is reported in parts, so that few descriptors are open.
func TestManyRecipients(t *testing.T) {
	b, s := open(t, Options{}), &server{}
	for range maxGroup + 20 {
		put(t, b, entry("1", "u1@dst.example"))
	}
	b.round(t.Context(), s.send)
	var sizes []int
	for _, group := range s.taken {
		sizes = append(sizes, len(group))
	}
	slices.Sort(sizes)
	if diff := cmp.Diff([]int{20, maxGroup}, sizes); diff != "" {
		t.Error(diff)
	}
}

// OUT-02: what is discarded is never sent, and takes no room.
func TestDiscarded(t *testing.T) {
	b := open(t, Options{Entries: 1})
	for range 3 {
		d, err := b.Stage(t.Context(), entry("1", "u1@dst.example"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.Discard(t.Context(), d), b.Publish(t.Context(), d)); err != nil {
			t.Fatal(err)
		}
	}
	if left := append(files(t, b, "tmp"), files(t, b, "new")...); len(left) > 0 || b.octets != 0 {
		t.Errorf("left %q, %d octets", left, b.octets)
	}
}

// OUT-08: the pause doubles up to an hour, and what is too old is given up.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := open(t, Options{}), &server{verdict: func([]Entry) Verdict { return later }}
		stop := run(t, b, s)
		put(t, b, entry("1", "u1@dst.example"))
		time.Sleep(3 * time.Hour)
		var pauses []time.Duration
		for i, at := range s.tries()[1:7] {
			pauses = append(pauses, at.Sub(s.tries()[i]).Round(time.Minute))
		}
		if diff := cmp.Diff(minutes(1, 2, 4, 8, 16, 32), pauses); diff != "" {
			t.Error(diff)
		}
		time.Sleep(5 * 24 * time.Hour)
		if st := b.State(); st.Entries != 0 || len(files(t, b, "new")) > 0 {
			t.Errorf("%+v", st)
		}
		stop()
		if tries := len(s.tries()); tries < 120 || tries > 135 {
			t.Errorf("%d tries", tries)
		}
	})
}

func minutes(list ...time.Duration) []time.Duration {
	for i := range list {
		list[i] *= time.Minute
	}
	return list
}

// What is refused for good is dropped: the reverse-path of a report is null, and nobody is to hear of it.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := open(t, Options{}), &server{verdict: func([]Entry) Verdict { return Verdict{Err: errors.New("no")} }}
		defer run(t, b, s)()
		put(t, b, entry("1", "u1@dst.example"))
		time.Sleep(24 * time.Hour)
		if st := b.State(); st.Entries != 0 || len(s.tries()) != 1 || len(files(t, b, "new")) > 0 || !st.Offers {
			t.Errorf("%+v, %d tries", st, len(s.tries()))
		}
	})
}

// While the server is down one report is tried, and not all.
func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := later
		down.Down = true
		b, s := open(t, Options{}), &server{verdict: func([]Entry) Verdict { return down }}
		for i := range 100 {
			put(t, b, entry(fmt.Sprint(i), "u1@dst.example"))
		}
		stop := run(t, b, s)
		time.Sleep(2 * settle)
		if n := len(s.tries()); n == 0 || n > 2*atOnce {
			t.Errorf("%d tries", n)
		}
		s.answer(nil)
		b.Flush()
		time.Sleep(2 * settle)
		if n := len(s.finals()); n != 100 {
			t.Errorf("%d sent", n)
		}
		stop()
	})
}

// OUT-07: the offer is withdrawn when the outbox fills or the server does not take what waits, and made again.
func TestValve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := open(t, Options{Entries: 10, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range 10 {
			if want := i < 8; b.Offers() != want {
				t.Errorf("with %d entries offers %v", i, !want)
			}
			put(t, b, entry(fmt.Sprint(i), "u1@dst.example"))
		}
		if _, err := b.Stage(t.Context(), entry("x", "u1@dst.example")); !errors.Is(err, ErrFull) {
			t.Errorf("%v", err)
		}
		s := &server{}
		stop := run(t, b, s)
		time.Sleep(2 * settle)
		if !b.Offers() || len(s.finals()) != 10 {
			t.Errorf("%+v", b.State())
		}
		s.answer(func([]Entry) Verdict { return later })
		put(t, b, entry("1", "u1@dst.example"))
		time.Sleep(9 * time.Minute)
		if !b.Offers() {
			t.Error("withdrawn too early")
		}
		time.Sleep(2 * time.Minute)
		if b.Offers() {
			t.Error("not withdrawn")
		}
		s.answer(nil)
		time.Sleep(time.Hour)
		stop()
		var changes []string
		for line := range strings.Lines(log.String()) {
			if _, change, found := strings.Cut(line, "msg=\"DSN "); found {
				changes = append(changes, change)
			}
		}
		want := []string{
			"withdrawn\" reason=outbox detail=\"the outbox is full\" entries=8 oldest=0s\n", "offered again\" entries=0\n",
			"withdrawn\" reason=submission detail=\"the server does not take what waits: later\" entries=1 oldest=10m1s\n",
			"offered again\" entries=0\n",
		}
		if diff := cmp.Diff(want, changes); diff != "" {
			t.Error(diff)
		}
	})
}

// A server that does not let us in is nothing that goes away by itself: the offer is withdrawn at once.
func TestBarred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		barred := Verdict{Err: errors.New("535 no"), Temporary: true, Down: true, Barred: true}
		b, s := open(t, Options{}), &server{verdict: func([]Entry) Verdict { return barred }}
		defer run(t, b, s)()
		put(t, b, entry("1", "u1@dst.example"))
		time.Sleep(2 * settle)
		if st := b.State(); st.Offers || st.Reason != "submission" || st.Entries != 1 {
			t.Errorf("%+v", st)
		}
		s.answer(nil)
		b.Flush()
		time.Sleep(2 * settle)
		if st := b.State(); !st.Offers || st.Entries != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// DSN-30: the offer is withdrawn before a report is refused, for one sender and for all, and both come back.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Options{PerSender: 20})
		for i := range 50 {
			if !b.Offers() || !b.Take("s@src.example", 1) {
				t.Fatalf("report %d is too much", i)
			}
		}
		if st := b.State(); st.Offers || st.Reason != "rate" {
			t.Errorf("%+v", st)
		}
		if b.Take("s@src.example", 1) || !b.Take("other@src.example", 1) {
			t.Error("the limit of one sender is that of another")
		}
		time.Sleep(16 * time.Minute) // in which 5 more may come
		taken := 0
		for b.Offers() && b.Take("s@src.example", 1) {
			taken++
		}
		if taken != 5 {
			t.Errorf("%d more are taken", taken)
		}
		b.Limit(Limits{PerSender: 1000})
		all := 0
		for ; b.Offers(); all++ {
			if !b.Take(fmt.Sprint(all, "@src.example"), 1) {
				t.Fatalf("report %d is too much", all)
			}
		}
		if all != 600 {
			t.Errorf("%d are taken of all", all)
		}
		if b.Take("new@src.example", 1) {
			t.Error("too much is taken")
		}
		time.Sleep(time.Minute)
		if !b.Offers() || !b.Take("new@src.example", 1) {
			t.Errorf("%+v", b.State())
		}
		if n := len(b.rate.senders); n > maxSenders {
			t.Errorf("%d senders are counted", n)
		}
	})
}

// However many senders there are, a bounded number is counted, and those who count as new are forgotten.
func TestManySenders(t *testing.T) {
	r, now := newRate(20, 600), time.Now()
	r.all = pace{} // no limit of all: what passes takes no time
	for i := range 3 * maxSenders {
		if !r.take(fmt.Sprint(i), now) {
			t.Fatalf("report %d is too much", i)
		}
	}
	if n := len(r.senders); n != maxSenders {
		t.Errorf("%d senders are counted", n)
	}
	now = now.Add(time.Hour)
	if !r.take("new", now) || len(r.senders) != 1 {
		t.Errorf("%d senders are counted", len(r.senders))
	}
}

// It is asked at each hello, and does not look at all that waits.
func BenchmarkOffers(bench *testing.B) {
	b, err := Open(Options{Dir: filepath.Join(bench.TempDir(), "outbox"), Host: "mx.dst.example", Entries: 100_000})
	if err != nil {
		bench.Fatal(err)
	}
	defer b.Close()
	for i := range 10_000 {
		b.take(fmt.Sprintf("%d.x.mx.dst.example", i+1), 1)
	}
	b.note(Verdict{Err: errors.New("later"), Temporary: true})
	for bench.Loop() {
		b.Offers()
	}
}

// A new process goes on where the last one ended. What that had only staged belonged to no message.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := open(t, Options{})
		put(t, first, entry("1", "u1@dst.example"))
		if _, err := first.Stage(t.Context(), entry("2", "u2@dst.example")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * leftover)
		if _, err := first.Stage(t.Context(), entry("3", "u3@dst.example")); err != nil { // by a process that is still at it
			t.Fatal(err)
		}
		b, s := open(t, Options{Dir: first.opts.Dir}), &server{}
		if n := len(files(t, b, "tmp")); n != 1 {
			t.Errorf("%d files in tmp", n)
		}
		stop := run(t, b, s)
		put(t, first, entry("4", "u4@dst.example")) // the old process goes on for a while
		time.Sleep(2 * rescan)
		stop()
		got := s.finals()
		slices.Sort(got)
		if diff := cmp.Diff([]string{"u1@dst.example", "u4@dst.example"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Of two processes one sends a report.
func TestTwoProcesses(t *testing.T) {
	a := open(t, Options{})
	b := open(t, Options{Dir: a.opts.Dir})
	const n = 200
	for i := range n {
		put(t, a, entry(fmt.Sprint(i), fmt.Sprintf("u%d@dst.example", i)))
	}
	if err := b.scan(); err != nil {
		t.Fatal(err)
	}
	s := &server{}
	var both sync.WaitGroup
	both.Go(func() { a.round(t.Context(), s.send) })
	both.Go(func() { b.round(t.Context(), s.send) })
	both.Wait()
	got := s.finals()
	slices.Sort(got)
	if len(got) != n || len(slices.Compact(got)) != n {
		t.Errorf("%d sent", len(got))
	}
}

// What is not ours, or is no entry, is left alone or set aside.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := open(t, Options{}), &server{}
		dir := filepath.Join(b.opts.Dir, "new")
		whole, err := entry("1", "u1@dst.example").encode()
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{
			"1.cut.mx.dst.example":       string(whole[:len(whole)-1]),
			"2.text.mx.dst.example":      "hello\n",
			"3.version.mx.dst.example":   strings.Replace(string(whole), `"v":1`, `"v":0`, 1),
			"4.empty.mx.dst.example":     "",
			"5.host.other.dst.example":   string(whole),
			"notes":                      "x",
			"-7.negative.mx.dst.example": string(whole),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		link, fifo, sub := "8.link.mx.dst.example", "9.fifo.mx.dst.example", "10.dir.mx.dst.example"
		if err := errors.Join(os.Symlink("/etc/passwd", filepath.Join(dir, link)),
			syscall.Mkfifo(filepath.Join(dir, fifo), 0o600), os.Mkdir(filepath.Join(dir, sub), 0o700)); err != nil {
			t.Fatal(err)
		}
		defer run(t, b, s)()
		time.Sleep(24 * time.Hour)
		if diff := cmp.Diff([]string{"1.cut.mx.dst.example", "2.text.mx.dst.example", "3.version.mx.dst.example",
			"4.empty.mx.dst.example"}, files(t, b, "failed")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{sub, "5.host.other.dst.example", link, fifo, "notes"}, files(t, b, "new")); diff != "" {
			t.Error(diff)
		}
		if st := b.State(); st.Entries != 0 || !st.Offers {
			t.Errorf("%+v", st)
		}
	})
}

// A disk that hangs keeps nobody waiting, and what it does in the end leaves nothing.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, faults, lifted := Options{}, &Faulty{}, make(chan struct{})
		faults.On(&o)
		b := open(t, o)
		faults.Before(func(int, Call) error { <-lifted; return nil })
		var all sync.WaitGroup
		for range 3 * stepsAtOnce {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				began := time.Now()
				if _, err := b.Stage(ctx, entry("1", "u1@dst.example")); !errors.Is(err, breaker.ErrHangs) {
					t.Errorf("%v", err)
				}
				if time.Since(began) > 2*time.Second {
					t.Errorf("after %v", time.Since(began))
				}
			})
		}
		all.Wait()
		if b.Offers() {
			t.Error("offers what it cannot keep")
		}
		close(lifted)
		synctest.Wait()
		if left := files(t, b, "tmp"); len(left) > 0 || !b.Idle() {
			t.Errorf("left %q, %+v", left, b.State())
		}
		b.survey(t.Context())
		if !b.Offers() {
			t.Error("does not offer what it can keep")
		}
		b.Close()
	})
}

// A client that goes while its report is staged says nothing of the outbox.
func TestClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, faults, lifted := Options{}, &Faulty{}, make(chan struct{})
		faults.On(&o)
		b := open(t, o)
		faults.Before(func(_ int, c Call) error {
			if c.Name == "write" {
				<-lifted
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := b.Stage(ctx, entry("1", "u1@dst.example")); !errors.Is(err, context.Canceled) || !b.Offers() {
			t.Errorf("%v, %+v", err, b.State())
		}
		close(lifted)
		synctest.Wait()
		if left := files(t, b, "tmp"); len(left) > 0 || !b.Idle() {
			t.Errorf("left %q", left)
		}
		b.Close()
	})
}

// A report that brings out a bug is tried again, and costs no other.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := open(t, Options{}), &server{verdict: func(group []Entry) Verdict {
			if group[0].Transaction == "1" {
				panic("bug")
			}
			return Verdict{}
		}}
		put(t, b, entry("1", "u1@dst.example"), entry("2", "u2@dst.example"))
		defer run(t, b, s)()
		time.Sleep(time.Hour)
		if got := s.finals(); len(got) != 1 || len(s.tries()) < 5 || b.State().Entries != 1 {
			t.Errorf("sent %q with %d tries, %+v", got, len(s.tries()), b.State())
		}
	})
}

// A report whose content the server has is not given up when the program stops: it would be sent twice.
func TestStopWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, takes := range []time.Duration{LastReplies / 2, 2 * LastReplies} {
			b, s := open(t, Options{}), &server{}
			put(t, b, entry("1", "u1@dst.example"))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(settle/2, cancel)
			began := time.Now()
			b.Run(ctx, func(ctx context.Context, group []Entry) Verdict {
				select {
				case <-time.After(takes):
					return s.send(ctx, group)
				case <-ctx.Done():
					return later
				}
			})
			took, inTime := time.Since(began), takes < LastReplies
			if took > LastReplies+settle || (b.State().Entries == 0) != inTime || (len(s.finals()) == 1) != inTime {
				t.Errorf("%v: stops after %v, %d sent, %+v", takes, took, len(s.finals()), b.State())
			}
			b.Close()
		}
	})
}
