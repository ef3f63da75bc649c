package state_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/state"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open returns a store in a file of its own, or in that of path.
func open(t *testing.T, o state.Options) *state.DB {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "state.db")
	}
	s := state.NewSQLite(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mark(subject, item string) state.Mark {
	return state.Mark{Subject: state.KeyOf(subject), Item: state.KeyOf(item)}
}

// recalled reports whether a mark is remembered.
func recalled(t *testing.T, s state.Store, m state.Mark) bool {
	t.Helper()
	items, err := s.Recall(t.Context(), m.Subject)
	must(t, err)
	return items[m.Item]
}

func TestKeys(t *testing.T) {
	if state.KeyOf("a", "bc") == state.KeyOf("ab", "c") || state.KeyOf("a") == state.KeyOf("a", "") {
		t.Error("different texts have one key")
	}
	if again := state.KeyOf("a", "bc"); state.KeyOf("a", "bc") != again {
		t.Error("a key is not the same twice")
	}
}

// TestRemembers: what is remembered is there for those who open the file next, until it is forgotten or its time over.
func TestRemembers(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	o := state.Options{Path: filepath.Join(t.TempDir(), "state.db"), Keep: time.Hour, Now: func() time.Time { return now }}
	a, b, other := mark("message", "a"), mark("message", "b"), mark("other", "a")
	first := open(t, o)
	if recalled(t, first, a) {
		t.Error("an empty store remembers something")
	}
	must(t, first.Remember(t.Context(), []state.Mark{a, b}))
	must(t, first.Remember(t.Context(), []state.Mark{a, other}))
	if n := first.Entries(); n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
	second := open(t, o) // as a server that takes over does
	for _, m := range []state.Mark{a, b, other} {
		if !recalled(t, second, m) {
			t.Error("a mark is missing")
		}
	}
	must(t, second.Forget(t.Context(), a.Subject))
	if recalled(t, first, a) || recalled(t, first, b) || !recalled(t, first, other) {
		t.Error("forgets what it should not, or not what it should")
	}
	now = now.Add(time.Hour)
	if recalled(t, first, other) {
		t.Error("remembers for too long")
	}
	info, err := os.Stat(o.Path)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// TestTogether: what comes from many at once is all remembered.
func TestTogether(t *testing.T) {
	s := open(t, state.Options{})
	var group sync.WaitGroup
	for i := range 300 {
		group.Go(func() {
			if err := s.Remember(t.Context(), []state.Mark{mark(fmt.Sprint(i), "a"), mark(fmt.Sprint(i), "b")}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range 300 {
		if !recalled(t, s, mark(fmt.Sprint(i), "a")) || !recalled(t, s, mark(fmt.Sprint(i), "b")) {
			t.Fatalf("%d is missing", i)
		}
	}
}

// TestFull: a full store takes nothing, and says so; what it has it knows.
func TestFull(t *testing.T) {
	s := open(t, state.Options{Entries: 2})
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a"), mark("m", "b")}))
	if s.Keeps() {
		t.Error("a full store keeps more")
	}
	if err := s.Remember(t.Context(), []state.Mark{mark("m", "c")}); !errors.Is(err, state.ErrFull) {
		t.Errorf("error %v", err)
	}
	if !recalled(t, s, mark("m", "a")) {
		t.Error("a full store does not recall")
	}
	must(t, s.Forget(t.Context(), state.KeyOf("m")))
	if !s.Keeps() {
		t.Error("a store with room keeps nothing")
	}
}

// TestTrouble: each way in which the file cannot be used is an error, that lasts until it can be used, and no file of
// another program is touched.
func TestTrouble(t *testing.T) {
	var unlock func()
	for _, tt := range []struct {
		name string
		// spoil spoils the file, which is open, and repair makes it good, if nothing else does.
		spoil, repair func(t *testing.T, path string)
		fails         bool // until it is repaired
		forgets       bool // what was remembered before
		log           string
	}{
		{name: "removed", spoil: func(t *testing.T, path string) {
			must(t, errors.Join(os.Remove(path), os.Remove(path+"-journal")))
		}, forgets: true},
		{name: "removed without its journal", spoil: func(t *testing.T, path string) { must(t, os.Remove(path)) },
			forgets: true},
		{name: "replaced by an empty file", spoil: func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".new", nil, 0o600))
			must(t, os.Rename(path+".new", path))
		}, forgets: true},
		{name: "replaced by something else", spoil: func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".new", []byte(strings.Repeat("something else\n", 1000)), 0o600))
			must(t, os.Rename(path+".new", path))
		}, repair: func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			if err != nil || !strings.HasPrefix(string(text), "something else") {
				t.Errorf("the file of another was touched: %.20q %v", text, err)
			}
			must(t, os.Remove(path))
		}, fails: true, forgets: true, log: "not a database"},
		{name: "replaced by another program's database", spoil: func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path+".new")
			must(t, err)
			_, err = db.Exec("CREATE TABLE a (b)")
			must(t, errors.Join(err, db.Close()))
			must(t, os.Rename(path+".new", path))
		}, repair: func(t *testing.T, path string) { must(t, os.Remove(path)) },
			fails: true, forgets: true, log: "left alone"},
		{name: "a directory in its place", spoil: func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, repair: func(t *testing.T, path string) { must(t, os.Remove(path)) }, fails: true, forgets: true},
		{name: "without its directory", spoil: func(t *testing.T, path string) {
			must(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".away"))
		}, repair: func(t *testing.T, path string) {
			must(t, os.Rename(filepath.Dir(path)+".away", filepath.Dir(path)))
		}, fails: true, log: "no such file"},
		{name: "locked by another process", spoil: func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			must(t, err)
			other, err := db.Conn(t.Context())
			must(t, err)
			_, err = other.ExecContext(t.Context(), "BEGIN IMMEDIATE")
			must(t, err)
			unlock = func() { must(t, errors.Join(other.Close(), db.Close())) }
		}, repair: func(*testing.T, string) { unlock() }, fails: true, log: "locked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "below")
			must(t, os.Mkdir(dir, 0o700))
			log := &strings.Builder{}
			var mu sync.Mutex
			o := state.Options{Path: filepath.Join(dir, "state.db"),
				Log: slog.New(slog.NewTextHandler(locked{&mu, log}, nil))}
			s := open(t, o)
			must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a")}))
			tt.spoil(t, o.Path)
			err := s.Remember(t.Context(), []state.Mark{mark("m", "b")})
			if (err != nil) != tt.fails || s.Keeps() == tt.fails {
				t.Errorf("error %v, keeps %v", err, s.Keeps())
			}
			if tt.repair != nil {
				tt.repair(t, o.Path)
				must(t, s.Remember(t.Context(), []state.Mark{mark("m", "b")}))
			}
			if !s.Keeps() || !recalled(t, s, mark("m", "b")) {
				t.Error("does not work again")
			}
			if recalled(t, s, mark("m", "a")) == tt.forgets {
				t.Errorf("forgets: %v", !tt.forgets)
			}
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("log\n%s", log)
			}
		})
	}
}

type locked struct {
	mu *sync.Mutex
	to io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

// TestDamaged: a file of ours that makes no sense is moved away, and another one made.
func TestDamaged(t *testing.T) {
	o := state.Options{Path: filepath.Join(t.TempDir(), "state.db")}
	first := open(t, o)
	for i := range 200 { // more than one page
		must(t, first.Remember(t.Context(), []state.Mark{mark(fmt.Sprint(i), "a"), mark(fmt.Sprint(i), "b")}))
	}
	must(t, first.Close(t.Context()))
	f, err := os.OpenFile(o.Path, os.O_RDWR, 0)
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("nonsense", int(info.Size()-4096)/8)), 4096) // after the first page
	must(t, errors.Join(err, f.Close()))
	second := open(t, o)
	if err := second.Remember(t.Context(), []state.Mark{mark("m", "a")}); err == nil {
		t.Error("nothing is wrong")
	}
	if second.Keeps() {
		t.Error("keeps what it could not write")
	}
	must(t, second.Remember(t.Context(), []state.Mark{mark("m", "a")}))
	if !second.Keeps() || !recalled(t, second, mark("m", "a")) {
		t.Error("does not work again")
	}
	if _, err := os.Stat(o.Path + ".damaged"); err != nil {
		t.Error(err)
	}
}

// TestRun: what is over is removed, and a store that does not work is tried again.
func TestRun(t *testing.T) {
	log := &strings.Builder{}
	var mu sync.Mutex
	now := time.Unix(1_800_000_000, 0)
	dir := filepath.Join(t.TempDir(), "later")
	o := state.Options{Path: filepath.Join(dir, "state.db"), Keep: time.Hour,
		Log: slog.New(slog.NewTextHandler(locked{&mu, log}, nil)), Now: func() time.Time { return now }}
	s := open(t, o)
	if s.Keeps() {
		t.Error("keeps without a directory")
	}
	run := func(until func() bool) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		for !until() {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-ended
	}
	run(func() bool { mu.Lock(); defer mu.Unlock(); return strings.Contains(log.String(), "no state") })
	must(t, os.Mkdir(dir, 0o700))
	run(s.Keeps)
	var marks []state.Mark
	for i := range 2500 {
		marks = append(marks, mark("m", fmt.Sprint(i)))
	}
	must(t, s.Remember(t.Context(), marks))
	now = now.Add(30 * time.Minute)
	must(t, s.Remember(t.Context(), []state.Mark{mark("later", "a")}))
	now = now.Add(30 * time.Minute)
	run(func() bool { return s.Entries() == 1 })
	if !recalled(t, s, mark("later", "a")) {
		t.Error("removes what is not over")
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines of log:\n%s", n, log)
	}
}
