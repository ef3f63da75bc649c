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
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errDisk = errors.New("disk on fire")

// logged is a log of which lines are counted.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// During an upgrade two processes are at one outbox, and on a shared directory two machines: an entry is sent once, by
// a machine of the name that it was staged under. The one that holds an entry and dies leaves it to the other.
func TestTwoAtOneOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(Scratch(t), "outbox")
		s := &server{}
		var stops []func()
		var boxes []*Box
		for _, host := range []string{"a.dst.example", "a.dst.example", "b.dst.example"} {
			b := open(t, Options{Dir: dir, Host: host})
			boxes = append(boxes, b)
			stops = append(stops, run(t, b, s))
		}
		for i := range 60 {
			put(t, boxes[i%3], entry(fmt.Sprint(i), fmt.Sprintf("u%d@dst.example", i)))
			time.Sleep(700 * time.Millisecond)
		}
		time.Sleep(5 * time.Minute)
		got := s.finals()
		slices.Sort(got)
		if len(got) != 60 || len(slices.Compact(got)) != 60 {
			t.Errorf("%d sent", len(got))
		}
		stops[2]()
		put(t, boxes[2], entry("other", "u@dst.example"))
		time.Sleep(time.Hour)
		if len(s.finals()) != 60 {
			t.Error("a machine sends what belongs to another")
		}
		put(t, boxes[0], entry("held", "held@dst.example"))
		q := boxes[0].due(time.Now().Add(time.Hour))
		stops[0]()
		held := q.group(t.Context())
		if len(held) == 1 { // else the other was quicker
			time.Sleep(10 * time.Minute)
			if len(s.finals()) != 60 {
				t.Error("an entry is sent that another process holds")
			}
			boxes[0].letGo(held) // as the kernel does for one that dies
		}
		time.Sleep(3 * time.Hour)
		stops[1]()
		if n := len(s.finals()); n != 61 {
			t.Errorf("%d sent, want what the dead process had held too", n)
		}
	})
}

// An entry of a newer program waits for that: both are at work during an upgrade, and the old one after one that was
// taken back. It is set aside when its time is over.
func TestNewerProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		b, s := open(t, Options{Log: log.logger()}), &server{}
		whole, err := entry("1", "u1@dst.example").encode()
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().UnixNano()
		for name, text := range map[string]string{
			fmt.Sprintf("%d.version.mx.dst.example", now):  strings.Replace(string(whole), `"v":1`, `"v":3`, 1),
			fmt.Sprintf("%d.vacation.mx.dst.example", now): strings.Replace(string(whole), `"report"`, `"vacation"`, 1),
		} {
			if err := os.WriteFile(filepath.Join(b.opts.Dir, "new", name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		defer run(t, b, s)()
		time.Sleep(4 * 24 * time.Hour)
		if n := len(files(t, b, "new")); n != 2 || len(s.tries()) > 0 || !b.Offers() {
			t.Errorf("%d files are left, %d sent, %+v", n, len(s.tries()), b.State())
		}
		if n := log.count("left to a newer program"); n == 0 || n > 2*(8+4*24) {
			t.Errorf("%d lines", n)
		}
		time.Sleep(2 * 24 * time.Hour)
		if n := len(files(t, b, "failed")); n != 2 || b.State().Entries != 0 || log.count("report dropped") != 2 {
			t.Errorf("%d files are set aside, %+v", n, b.State())
		}
	})
}

// Steps of the clock: one back makes entries from the future, of which the time is from now; one forward gives up none.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := open(t, Options{}), &server{verdict: func([]Entry) Verdict { return later }}
		whole, err := entry("1", "u1@dst.example").encode()
		if err != nil {
			t.Fatal(err)
		}
		ahead := fmt.Sprintf("%d.ahead.mx.dst.example", time.Now().Add(10*365*24*time.Hour).UnixNano())
		if err := os.WriteFile(filepath.Join(b.opts.Dir, "new", ahead), whole, 0o600); err != nil {
			t.Fatal(err)
		}
		defer run(t, b, s)()
		time.Sleep(4 * 24 * time.Hour)
		if b.State().Entries != 1 || b.Offers() {
			t.Errorf("%+v", b.State())
		}
		time.Sleep(2 * 24 * time.Hour)
		if b.State().Entries != 0 || !b.Offers() {
			t.Errorf("it never ends: %+v", b.State())
		}
	})
}

// A file system that is read-only, or full: no offer is made from the start on, entries that wait are sent where they
// can be removed, and at most those once that were under way where they cannot.
func TestCannotBeWritten(t *testing.T) {
	for name, tt := range map[string]struct {
		fails       func(Call) bool
		least, most int // of 20 are sent
	}{
		"full": {func(c Call) bool { return c.Name == "write" }, 20, 20},
		"read-only": {func(c Call) bool { return c.Name == "remove" || c.Name == "rename" || c.Name == "write" }, 1,
			atOnce},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := open(t, Options{})
				for i := range 20 {
					put(t, first, entry(fmt.Sprint(i), fmt.Sprintf("u%d@dst.example", i)))
				}
				log, faults := &logged{}, &Faulty{}
				o := Options{Dir: first.opts.Dir, Log: log.logger()}
				faults.On(&o)
				faults.Before(func(_ int, c Call) error {
					if tt.fails(c) {
						return errDisk
					}
					return nil
				})
				o.Host = "mx.dst.example"
				b, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				s := &server{}
				err = b.Prepare(t.Context())
				if st := b.State(); !errors.Is(err, errDisk) || st.Offers || !strings.Contains(st.Detail, "disk on fire") {
					t.Errorf("%v, %+v", err, st)
				}
				stop := run(t, b, s)
				time.Sleep(2 * time.Hour)
				if n := len(s.finals()); n < tt.least || n > tt.most || b.Offers() {
					t.Errorf("%d sent, %+v", n, b.State())
				}
				faults.Before(nil)
				time.Sleep(2 * time.Hour)
				stop()
				synctest.Wait()
				got := s.finals()
				slices.Sort(got)
				if len(got) != 20 || len(slices.Compact(got)) != 20 || !b.Offers() || !b.Idle() {
					t.Errorf("in the end %d sent, %+v", len(got), b.State())
				}
				if log.count("outbox can be used again") != 1 {
					t.Error(log.buf.String())
				}
				if diff := cmp.Diff([]string(nil), files(t, b, "new")); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Those who wait share a sync that begins after what they did.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rounds
		var all sync.WaitGroup
		syncs := 0
		for i := range 10 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				came := time.Now()
				var began time.Time
				err := r.do(func() error {
					syncs++
					began = time.Now()
					time.Sleep(time.Second)
					return nil
				})
				if err != nil || !began.IsZero() && began.Before(came) || time.Since(came) > 2*time.Second {
					t.Errorf("%d: %v, came %v, began %v", i, err, came, began)
				}
			})
		}
		all.Wait()
		if syncs != 2 {
			t.Errorf("%d syncs", syncs)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.do(ctx.Err); err == nil {
			t.Error("no error")
		}
		if err := r.do(func() error { panic("bug") }); err == nil {
			t.Error("no error of a panic")
		}
	})
}
