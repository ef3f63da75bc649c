package hosting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/database"
	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

var states = map[string]func(database.Server, state.Options) (*state.DB, error){
	"postgres": state.NewPostgres, "mysql": state.NewMySQL,
}

// node opens a store as one of several nodes does.
func node(t *testing.T, kind string, at database.Server, o state.Options) *state.DB {
	t.Helper()
	s, err := states[kind](at, o)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		must(t, s.Close(ctx))
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mark(subject, item string) state.Mark {
	return state.Mark{Subject: state.KeyOf(subject), Item: state.KeyOf(item)}
}

func recalled(t *testing.T, s *state.DB, m state.Mark) bool {
	t.Helper()
	items, err := s.Recall(t.Context(), m.Subject)
	must(t, err)
	return items[m.Item]
}

// TestStateOnServers: a store on a server, for several nodes at once.
func TestStateOnServers(t *testing.T) {
	for kind := range states {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := servers[kind].start(t)
			for name, test := range map[string]func(*testing.T, *stateServer){
				"nodes": testNodes, "begin": testBegin, "sweep": testSweep, "full": testFullState, "rights": testRights,
				"replaced": testReplaced, "silent": testSilent, "outage": testOutage, "check": testCheckState,
			} {
				t.Run(name, func(t *testing.T) {
					db.Fill("state_" + name)
					test(t, &stateServer{kind, db, connect(db, "state_"+name)})
				})
			}
		})
	}
}

// A stateServer is a server with an empty database.
type stateServer struct {
	kind string
	db   *peer.Database
	at   database.Server
}

func (s *stateServer) run(statements ...string) { s.db.Run(s.at.Database, statements...) }

// testNodes: what one node remembers the other recalls and forgets, though both write the same at the same time.
func testNodes(t *testing.T, on *stateServer) {
	now := time.Unix(1_800_000_000, 0)
	o := state.Options{Keep: time.Hour, Now: func() time.Time { return now }}
	first, second := node(t, on.kind, on.at, o), node(t, on.kind, on.at, o)
	a, b, other := mark("message", "a"), mark("message", "b"), mark("other", "a")
	if recalled(t, first, a) {
		t.Error("an empty store remembers something")
	}
	must(t, first.Remember(t.Context(), []state.Mark{a, b, a}))
	must(t, second.Remember(t.Context(), []state.Mark{other, a}))
	for _, m := range []state.Mark{a, b, other} {
		if !recalled(t, first, m) || !recalled(t, second, m) {
			t.Error("a mark is missing")
		}
	}
	if one, two := first.Entries(), second.Entries(); one != 2 || two != 1 {
		t.Errorf("%d and %d entries were added, want 2 and 1", one, two)
	}
	must(t, second.Forget(t.Context(), a.Subject))
	if recalled(t, first, a) || recalled(t, first, b) || !recalled(t, first, other) {
		t.Error("forgets what it should not, or not what it should")
	}
	now = now.Add(time.Hour)
	if recalled(t, first, other) {
		t.Error("remembers for too long")
	}
	var group sync.WaitGroup
	for i := range 300 {
		for _, s := range []*state.DB{first, second} {
			group.Go(func() {
				var marks []state.Mark
				for j := range 20 {
					marks = append(marks, mark(fmt.Sprint(i), fmt.Sprint(j)))
				}
				err := s.Remember(t.Context(), marks)
				if err == nil && i%3 == 0 {
					err = s.Forget(t.Context(), marks[0].Subject)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	for i := range 300 {
		if there := recalled(t, second, mark(fmt.Sprint(i), "19")); !there && i%3 != 0 {
			t.Fatalf("%d is missing", i)
		}
	}
	var many []state.Mark // of more rows than one statement has
	for i := range 1700 {
		many = append(many, mark("many", fmt.Sprint(i)))
	}
	must(t, first.Remember(t.Context(), many))
	if items, err := second.Recall(t.Context(), state.KeyOf("many")); err != nil || len(items) != len(many) {
		t.Errorf("%d items, %v", len(items), err)
	}
}

// testBegin: of many nodes that find no tables at the same time each can work.
func testBegin(t *testing.T, on *stateServer) {
	var group sync.WaitGroup
	for i := range 8 {
		s := node(t, on.kind, on.at, state.Options{})
		if _, err := s.Inspect(t.Context()); i == 0 && !errors.Is(err, state.ErrNoTables) {
			t.Errorf("inspected: %v", err)
		}
		group.Go(func() {
			if err := s.Remember(t.Context(), []state.Mark{mark("m", fmt.Sprint(i))}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s := node(t, on.kind, on.at, state.Options{})
	if n, err := s.Inspect(t.Context()); n != 8 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

// testSweep: what is over is removed by one node, and by another when that is gone.
func testSweep(t *testing.T, on *stateServer) {
	now := time.Unix(1_800_000_000, 0)
	o := state.Options{Keep: time.Minute, Now: func() time.Time { return now }}
	writer := node(t, on.kind, on.at, o)
	fill := func(subject string) {
		var marks []state.Mark
		for i := range 2500 {
			marks = append(marks, mark(subject, fmt.Sprint(i)))
		}
		must(t, writer.Remember(t.Context(), marks))
	}
	// sweeps runs a node until it has counted what it left.
	sweeps := func(s *state.DB, left int64) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		peer.Await(t, time.Minute, fmt.Sprintf("%d entries", left), func() bool { return s.Entries() == left })
		cancel()
		<-ended
	}
	fill("a")
	now = now.Add(2 * time.Minute)
	must(t, writer.Remember(t.Context(), []state.Mark{mark("later", "a")}))
	sweeps(node(t, on.kind, on.at, o), 1)
	fill("b")
	now = now.Add(2 * time.Minute)
	sweeps(node(t, on.kind, on.at, o), 2501) // it is not its turn
	now = now.Add(10 * time.Minute)
	must(t, writer.Remember(t.Context(), []state.Mark{mark("last", "a")}))
	sweeps(node(t, on.kind, on.at, o), 1)
	on.run("UPDATE doorstep_state SET swept = 99999999999") // by a clock that was wrong
	fill("c")
	now = now.Add(2 * time.Minute)
	must(t, writer.Remember(t.Context(), []state.Mark{mark("again", "a")}))
	sweeps(node(t, on.kind, on.at, o), 1)
	if !recalled(t, writer, mark("again", "a")) {
		t.Error("removes what is not over")
	}
}

// testFullState: a full store takes nothing, and recalls what it has.
func testFullState(t *testing.T, on *stateServer) {
	s := node(t, on.kind, on.at, state.Options{Entries: 2})
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a"), mark("m", "b")}))
	if err := s.Remember(t.Context(), []state.Mark{mark("m", "c")}); !errors.Is(err, state.ErrFull) || s.Keeps() {
		t.Errorf("error %v, keeps %v", err, s.Keeps())
	}
	if !recalled(t, s, mark("m", "a")) {
		t.Error("does not recall")
	}
}

// testRights: the tables of the manual can be made by another user, and then need no right to make any. A right that is
// missing is named, with the statement that gives it.
func testRights(t *testing.T, on *stateServer) {
	at := on.at
	at.User, at.Password = "weak", func() (string, error) { return "sesame", nil }
	user := "'weak'@'%' IDENTIFIED BY 'sesame'"
	if on.kind == "postgres" {
		user = "weak PASSWORD 'sesame' LOGIN"
		on.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	}
	on.run("CREATE USER " + user)
	if on.kind == "mysql" {
		on.run("GRANT SELECT ON state_rights.* TO weak")
	}
	s := node(t, on.kind, at, state.Options{})
	lacks := func(grant string) {
		t.Helper()
		for what, err := range map[string]error{
			"use":     s.Remember(t.Context(), []state.Mark{mark("m", "a")}),
			"inspect": func() error { _, err := s.Inspect(t.Context()); return err }(),
		} {
			var right *state.RightError
			if !errors.As(err, &right) || !strings.Contains(right.Grant, grant) || !strings.Contains(err.Error(), right.Grant) {
				t.Errorf("%s: error %v, want one with %q", what, err, grant)
			}
		}
		if s.Keeps() {
			t.Error("keeps what it cannot")
		}
	}
	lacks("GRANT CREATE")
	var grants []string
	for statement := range strings.SplitSeq(manual(t, "aliases.md", on.kind+" tables"), ";\n") {
		if strings.HasPrefix(statement, "GRANT") {
			grants = append(grants, strings.Replace(strings.TrimSuffix(statement, ";"), "TO doorstep", "TO weak", 1))
			continue
		}
		on.run(statement)
	}
	lacks("GRANT SELECT, INSERT")
	on.run(grants...)
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a")}))
	if n, err := s.Inspect(t.Context()); n != 1 || err != nil || !s.Keeps() {
		t.Errorf("%d entries, %v, keeps %v", n, err, s.Keeps())
	}
}

// testCheckState: check --connect says what there is, or what is wrong at which key, and makes no tables.
func testCheckState(t *testing.T, on *stateServer) {
	program := peer.BuildDoorstep(t, peer.MailDir(t))
	keys := "[state]\n" + overTCP(on.db, on.kind, "state_check") + "[[user]]\naddress = \"postmaster@dst.example\"\n"
	says := func(keys, stdout, stderr string) {
		t.Helper()
		out, errs, code := checkable(t, program, keys)
		if code != 0 || !strings.Contains(out, stdout) || !strings.Contains(errs, stderr) || stderr == "" && errs != "" {
			t.Errorf("want %q and %q, exit status %d: %s%s", stdout, stderr, code, out, errs)
		}
	}
	for range 2 {
		says(keys, "answers; its tables are made when the server starts\n", "")
	}
	s := node(t, on.kind, on.at, state.Options{})
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a"), mark("m", "b")}))
	says(keys, "2 entries\n", "")
	for _, wrong := range []struct{ old, new, stderr string }{
		{`"state_check"`, `"no_such"`, "state.database: warning: "},
		{`"127.0.0.1"`, `"no-such-host.invalid"`, "state.host: warning: "},
		{"port = " + on.db.Port, "port = " + peer.FreePort(t), "state.port: warning: "},
		{`"` + peer.DatabaseUser + `"`, `"nobody_here"`, "state.user: warning: "},
		{"password_file", "tls = \"verify\"\npassword_file", "state.tls: warning: "},
	} {
		says(strings.Replace(keys, wrong.old, wrong.new, 1), "ok (", wrong.stderr)
	}
}

// testReplaced: another database in its place is used from the next question on; one of another version is left alone.
func testReplaced(t *testing.T, on *stateServer) {
	s := node(t, on.kind, on.at, state.Options{})
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a")}))
	on.run("DROP TABLE doorstep_mark", "DROP TABLE doorstep_state")
	if recalled(t, s, mark("m", "a")) {
		t.Error("remembers what is gone")
	}
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "b")}))
	on.run("DROP TABLE doorstep_mark")
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "c")}))
	if !s.Keeps() || recalled(t, s, mark("m", "b")) || !recalled(t, s, mark("m", "c")) {
		t.Error("does not work again")
	}
	on.run("DROP TABLE doorstep_mark", "CREATE TABLE doorstep_mark (a int)", "UPDATE doorstep_state SET version = 2")
	for range 2 {
		if _, err := s.Recall(t.Context(), state.KeyOf("m")); err == nil || s.Keeps() {
			t.Errorf("error %v, keeps %v", err, s.Keeps())
		}
	}
	if err := s.Remember(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("error %v", err)
	}
}

// A stallable is a way to a server that can be made one which takes connections and never answers.
type stallable struct {
	sync.RWMutex // held for writing: nothing goes through
	port         int
}

func newStallable(t *testing.T, to database.Server) *stallable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	s := &stallable{port: l.Addr().(*net.TCPAddr).Port}
	pass := func(from, to net.Conn) {
		defer to.Close()
		defer from.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := from.Read(buffer)
			s.RLock()
			if n > 0 && err == nil {
				_, err = to.Write(buffer[:n])
			}
			s.RUnlock()
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(to.Port)))
			if err != nil {
				client.Close()
				continue
			}
			go pass(client, server)
			go pass(server, client)
		}
	}()
	return s
}

// testSilent: a server that does not answer any more is waited for as long as is agreed, at once when that is known,
// and used again when it answers.
func testSilent(t *testing.T, on *stateServer) {
	way := newStallable(t, on.at)
	on.at.Port = way.port
	s := node(t, on.kind, on.at, state.Options{})
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a")}))
	way.Lock()
	ask := func(patience time.Duration) (time.Duration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		began := time.Now()
		_, err := s.Recall(ctx, state.KeyOf("m"))
		return time.Since(began), err
	}
	if took, err := ask(time.Second); err == nil || took > 20*time.Second {
		t.Errorf("the first answer is %v, after %v", err, took)
	}
	if s.Keeps() {
		t.Error("keeps what is asked of it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Remember(ctx, []state.Mark{mark("m", "b")}); err == nil {
		t.Error("something is remembered")
	}
	peer.Await(t, time.Minute, "an answer at once", func() bool {
		took, err := ask(time.Minute)
		return errors.Is(err, breaker.ErrHangs) && took < time.Second
	})
	way.Unlock()
	runUntilKeeps(t, s)
	if !recalled(t, s, mark("m", "a")) {
		t.Error("what was remembered is lost")
	}
}

// runUntilKeeps runs a node until it works again.
func runUntilKeeps(t *testing.T, s *state.DB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	peer.Await(t, time.Minute, "a store that keeps", s.Keeps)
	cancel()
	<-ended
}

// testOutage: a server that is killed amid questions fails those that are under way, and no later one when it is back.
func testOutage(t *testing.T, on *stateServer) {
	var log strings.Builder
	s := node(t, on.kind, on.at, state.Options{Log: slog.New(slog.NewTextHandler(locked{new(sync.Mutex), &log}, nil))})
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a")}))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j, err := 0, error(nil); err == nil; j++ { // until it is down
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				err = s.Remember(ctx, []state.Mark{mark(fmt.Sprint(i), fmt.Sprint(j))})
				cancel()
			}
		})
	}
	on.db.Crash()
	group.Wait()
	if s.Keeps() {
		t.Error("keeps what it cannot")
	}
	on.db.Start()
	runUntilKeeps(t, s)
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "b")}))
	if !recalled(t, s, mark("m", "a")) || !recalled(t, s, mark("m", "b")) {
		t.Error("what was remembered is lost")
	}
	if text := log.String(); !strings.Contains(text, "state cannot be kept") ||
		!strings.Contains(text, `database="`+on.kind+` state_outage at 127.0.0.1:`) || !strings.Contains(text, "state is kept") {
		t.Errorf("log\n%s", text)
	}
}

type locked struct {
	*sync.Mutex
	to io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.to.Write(p)
}
