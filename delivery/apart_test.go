package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// attempt is a message for list@dst.example, and what its client is answered.
func attempt(content string, rcpt, reply string) string {
	s := "C: MAIL FROM:<a@src.example>\nS: 250 2.1.0\nC: RCPT TO:<list@dst.example>\nS: " + rcpt + "\n"
	if reply != "" {
		s += "C: DATA\nS: 354\n" + content + "C: .\nS: " + reply + "\n"
	}
	return s
}

// TestApart: with a store of state each mailbox of an alias that can have the message has it once, however often the
// client tries.
func TestApart(t *testing.T) {
	const short = "C: b\n"
	long := "C> «y*2500»\\r\\n\n"
	for _, tt := range []struct {
		name, members, script string
		log                   []string // expressions
	}{
		{"one cannot be written to", "u1 broken u2",
			attempt(short, "250 2.1.5", "451 4.2.0") + attempt(short, "250 2.1.5", "451 4.2.0") +
				attempt(short, "250 2.1.5", "451 4.2.0") + "in u1: 1\nin u2: 1\n",
			[]string{`msg=delivered .*transaction=\S+1 .*mailbox=u1@dst.example`,
				`msg="delivered before" .*transaction=\S+2 .*mailbox=u1@dst.example`,
				`msg="delivered before" .*transaction=\S+3 .*mailbox=u2@dst.example`,
				`msg=refused .*transaction=\S+3 .*mailbox=broken@dst.example .*rule=maildir`}},
		{"another message is another", "u1 broken",
			attempt(short, "250 2.1.5", "451 4.2.0") + attempt("C: c\n", "250 2.1.5", "451 4.2.0") + "in u1: 2\n", nil},
		{"one turns out to be full for now", "u1 small u2",
			attempt(long, "250 2.1.5", "452 4.2.2") + attempt(long, "250 2.1.5", "452 4.2.2") +
				"in u1: 1\nin u2: 1\nin small: 0\n", nil},
		{"one is deferred by RCPT", "u1 busy u2",
			attempt(short, "250 2.1.5", "450 4.2.1") + attempt(short, "250 2.1.5", "450 4.2.1") + "in u1: 1\nin u2: 1\n",
			[]string{`msg=refused .*transaction=\S+2 .*to=list@dst.example mailbox=busy@dst.example rule=disabled`}},
		{"one is full before it comes", "full u1",
			attempt(short, "250 2.1.5", "452 4.2.2") + attempt(short, "250 2.1.5", "452 4.2.2") + "in u1: 1\nin full: 0\n",
			nil},
		{"all that are left are deferred by RCPT", "busy off", attempt(short, "450 4.2.1", ""), nil},
		{"for good does not keep the others from it", "u1 off broken",
			attempt(short, "250 2.1.5", "451 4.2.0") + attempt(short, "250 2.1.5", "451 4.2.0") + "in u1: 1\n", nil},
		{"in two folders of one mailbox", "u1 u1+a broken",
			attempt(short, "250 2.1.5", "451 4.2.0") + attempt(short, "250 2.1.5", "451 4.2.0") + "in u1: 1\n", nil},
		{"in ESMTP all or none", "u1 broken", "only: esmtp\n" + attempt(short, "250 2.1.5", "451 4.2.0") + "in u1: 0\n", nil},
		{"in ESMTP RCPT defers", "u1 busy", "only: esmtp\n" + attempt(short, "450 4.2.1", "") + "in u1: 0\n",
			[]string{`msg=refused .*to=list@dst.example mailbox=busy@dst.example rule=disabled`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			protocol := "lmtp"
			if strings.HasPrefix(tt.script, "only: esmtp") {
				protocol = "esmtp"
			}
			f := newFixture(t, protocol)
			s := f.remember(t)
			f.router.Resolver.Directory = lists{f.router.Resolver.Directory, map[string]string{"list": tt.members}}
			f.playAll(t, tt.script)
			for _, want := range tt.log {
				if n := len(regexp.MustCompile(want).FindAllString(f.log.String(), -1)); n != 1 {
					t.Errorf("%d lines of the log match %s:\n%s", n, want, f.log)
				}
			}
			if !s.Keeps() {
				t.Error("the store does not work")
			}
		})
	}
}

// remember gives the agent of a fixture a store of state.
func (f *fixture) remember(t *testing.T) *state.DB {
	t.Helper()
	s := state.NewSQLite(state.Options{Path: filepath.Join(t.TempDir(), "state.db")})
	t.Cleanup(func() { must(t, s.Close(context.Background())) })
	f.agent.State, f.router.Apart = s, s.Keeps
	return s
}

// playAll plays a script that is not in a file: PREAMBLE and all.
func (f *fixture) playAll(t *testing.T, text string) {
	t.Helper()
	preamble := "P0\n"
	if rest, ok := strings.CutPrefix(text, "only: esmtp\n"); ok {
		text, preamble = rest, "only: esmtp\nP0\n"
	}
	script, err := lmtptest.Parse(t.Name(), preamble+text)
	must(t, err)
	f.playScript(t, script)
}

// TestApartAndBack: when the last of them can have the message the client is done with it, and what was remembered is
// forgotten: the same again is another message.
func TestApartAndBack(t *testing.T) {
	members := map[string]string{"list": "u1 broken u2"}
	store := &remembering{forgotten: make(chan struct{}, 1)}
	f := newFixture(t, "lmtp")
	f.agent.State, f.router.Apart = store, store.Keeps
	f.router.Resolver.Directory = lists{f.router.Resolver.Directory, members}
	script := attempt("C: b\n", "250 2.1.5", "451 4.2.0")
	f.playAll(t, script+"in u1: 1\nin u2: 1\n")
	if n := len(store.marks()); n != 2 {
		t.Errorf("%d marks, want 2", n)
	}
	members["list"] = "u1 u3 u2" // broken was taken off the list
	g := newFixture(t, "lmtp")   // and the server was started again
	g.agent.State, g.router.Apart = store, store.Keeps
	g.router.Resolver.Directory = lists{g.router.Resolver.Directory, members}
	good := attempt("C: b\n", "250 2.1.5", "250 2.0.0")
	g.playAll(t, good+"in u1: 0\nin u2: 0\nin u3: 1\n")
	<-store.forgotten // after the reply
	if n := len(store.marks()); n != 0 {
		t.Errorf("%d marks are left", n)
	}
	h := newFixture(t, "lmtp")
	h.agent.State, h.router.Apart = store, store.Keeps
	h.router.Resolver.Directory = lists{h.router.Resolver.Directory, members}
	writes := store.writes
	h.playAll(t, good+"in u1: 1\nin u2: 1\nin u3: 1\n")
	if store.writes != writes {
		t.Error("something is written though all have the message")
	}
}

// TestApartBesideOthers: what an alias has in common with other recipients of the message.
func TestApartBesideOthers(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.remember(t)
	f.router.Resolver.Directory = lists{f.router.Resolver.Directory,
		map[string]string{"list": "u1 broken", "other": "u1 u3 broken"}}
	f.playAll(t, `C: MAIL FROM:<a@src.example>
S: 250 2.1.0
C: RCPT TO:<list@dst.example>
S: 250 2.1.5
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: RCPT TO:<other@dst.example>
S: 250 2.1.5
C: DATA
S: 354
C: b
C: .
S: 451 4.2.0
S: 250 2.0.0
S: 451 4.2.0
C: MAIL FROM:<a@src.example>
S: 250 2.1.0
C: RCPT TO:<list@dst.example>
S: 250 2.1.5
C: RCPT TO:<other@dst.example>
S: 250 2.1.5
C: DATA
S: 354
C: b
C: .
S: 451 4.2.0
S: 451 4.2.0
in u1: 1
in u3: 1
`)
}

// TestWithoutState: where the store cannot be asked, has no room or cannot be written to, an alias is delivered all or
// none; where it fails when the copies are there they come again. No mail is lost or refused by it.
func TestWithoutState(t *testing.T) {
	errStore := errors.New("no such store")
	script := attempt("C: b\n", "250 2.1.5", "451 4.2.0")
	for _, tt := range []struct {
		name    string
		members string
		store   *remembering
		rcpt    string // "" is 250
		u1      string // copies after two attempts
	}{
		{"it cannot be asked", "u1 broken", &remembering{recall: errStore}, "", "0"},
		{"it keeps nothing", "u1 broken", &remembering{keepsNot: true}, "", "0"},
		{"it cannot be written to", "u1 broken", &remembering{remember: errStore}, "", "2"},
		{"it keeps nothing, and one is deferred", "u1 busy", &remembering{keepsNot: true}, "450 4.2.1", "0"},
		{"it cannot be asked, and one is deferred", "u1 busy", &remembering{recall: errStore}, "", "0"},
		{"it hangs", "u1 broken", &remembering{hangs: true}, "", "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, "lmtp")
			f.agent.State, f.router.Apart = tt.store, tt.store.Keeps
			f.router.Resolver.Directory = lists{f.router.Resolver.Directory, map[string]string{"list": tt.members}}
			one := script
			if tt.members == "u1 busy" {
				one = attempt("C: b\n", "250 2.1.5", "450 4.2.1")
			}
			if tt.rcpt != "" {
				one = attempt("C: b\n", tt.rcpt, "") + "C: RSET\nS: 250 2.0.0\n"
			}
			f.playAll(t, one+one+"in u1: "+tt.u1+"\n")
		})
	}
}

// remembering is a store in memory, that fails as it is said.
type remembering struct {
	recall, remember error
	keepsNot, hangs  bool
	forgotten        chan struct{} // nil: nothing waits for it

	mu     sync.Mutex
	has    map[state.Mark]bool
	writes int
}

func (r *remembering) Keeps() bool { return !r.keepsNot }

func (r *remembering) Recall(ctx context.Context, subject state.Key) (map[state.Key]bool, error) {
	if r.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	items := map[state.Key]bool{}
	for m := range r.has {
		if m.Subject == subject {
			items[m.Item] = true
		}
	}
	return items, r.recall
}

func (r *remembering) Remember(_ context.Context, marks []state.Mark) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	if r.has == nil {
		r.has = map[state.Mark]bool{}
	}
	for _, m := range marks {
		r.has[m] = r.remember == nil
		if r.remember != nil {
			delete(r.has, m)
		}
	}
	return r.remember
}

func (r *remembering) Forget(_ context.Context, subject state.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	for m := range r.has {
		if m.Subject == subject {
			delete(r.has, m)
		}
	}
	if r.forgotten != nil {
		r.forgotten <- struct{}{}
	}
	return nil
}

func (r *remembering) marks() map[state.Mark]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.has)
}

// TestPreviewApart: a preview has the mailboxes that get the message though another cannot have it now.
func TestPreviewApart(t *testing.T) {
	for _, members := range []string{"u1 broken u2", "u1 busy u2"} {
		for _, remembers := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", members, remembers), func(t *testing.T) {
				f := newFixture(t, "lmtp")
				if remembers {
					f.remember(t)
				}
				f.router.Resolver.Directory = lists{f.router.Resolver.Directory, map[string]string{"list": members}}
				path, err := address.Parser{}.ForwardPath("list@dst.example")
				must(t, err)
				to := []*lmtp.Recipient{{To: path}}
				env := &lmtp.Envelope{ID: "x.1"}
				previews, err := f.agent.Preview(t.Context(), env, to, strings.NewReader("b\r\n"))
				must(t, err)
				want := lmtp.RcptReply(outcomes(t, f, env, to, "b\r\n")[0]).String()
				if got := lmtp.RcptReply(previews[0].Err).String(); got != want || !strings.HasPrefix(got, "45") {
					t.Errorf("previewed %s, delivered %s", got, want)
				}
				got := len(f.messages(t, "u1")) + len(f.messages(t, "u2"))
				if len(previews[0].To) != got || (got == 2) != remembers {
					t.Errorf("previewed into %v, delivered %d", previews[0].To, got)
				}
			})
		}
	}
}
