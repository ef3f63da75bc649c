package crash

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

const (
	besiegers = 60               // sessions that send to them
	each      = 64               // recipients of each of their messages
	pause     = 10 * time.Second // from one to the next, at least: an MTA has minutes
	healthy   = 4                // sessions that send to another file system
)

// TestBesideHung is what a file system that hangs costs those who are not on it. Sixty sessions send to it, 64
// recipients each, and try again ten seconds later; four send to another one. Turn by turn, so that both see
// the same machine, four send to a second server in which nothing hangs, and the sixty rest. Then it answers again.
// "make hung" runs it until mail was sent to what hangs for ten minutes, and holds the rates against one another.
func TestBesideHung(t *testing.T) {
	powercut.Need(t)
	if !powercut.Alone(t) {
		return
	}
	turns, turn, besieged := 1, 3*time.Second, 3*each
	atLength, err := time.ParseDuration(cmp.Or(os.Getenv("DOORSTEP_HUNG"), "0"))
	if err != nil {
		t.Fatalf("DOORSTEP_HUNG: %v", err)
	}
	if atLength > 0 {
		besieged = 900
		turn = min(30*time.Second, atLength)
		turns = int(atLength / turn)
	}
	b := newBeside(t, besieged)
	if codes := b.toAll(t, 0); !b.taken(codes) {
		t.Fatalf("replies %v", codes)
	}
	b.store.Stop(t)
	for i := range turns {
		b.without.run(t, turn, i)
		b.without.check(t, fmt.Sprintf("turn %d without it", i))
		b.turn(t, turn, i)
		b.with.check(t, fmt.Sprintf("turn %d beside the hung", i))
		t.Logf("turn %d: %d threads, load %s", i, threads(t, b.server.Pid()), loadAverage(t))
	}
	b.store.Continue(t)
	began := time.Now()
	b.attack.site.awaitDelivery(t, b.some(each)...)
	recovered := time.Since(began)
	if codes := b.toAll(t, 1); !b.taken(codes) {
		t.Errorf("afterwards the replies are %v", codes)
	}
	stop(t, b.server)
	stop(t, b.other)

	t.Logf("beside the hung: %s", b.with)
	t.Logf("without it:      %s", b.without)
	ratio := b.with.rate() / b.without.rate()
	t.Logf("rate with to without: %.2f; at most %d threads; to the hung: %v, answered within %v at most, %v as soon as "+
		"it was known; a message to %d was taken %v after it answered again", ratio, b.threads, b.attack.refused,
		b.slowest.Round(time.Millisecond), b.known.Round(time.Millisecond), each, recovered.Round(time.Millisecond))
	b.check(t, recovered)
	if atLength > 0 && ratio < 0.9 {
		t.Errorf("beside what hangs the rate is %.2f of that without", ratio)
	}
}

// A beside is a server with two mail roots, of which one hangs, and another with one.
type beside struct {
	store         *powercut.Loopback
	besieged      int // mailboxes on the file system that hangs: the accounts with even numbers
	hung, well    string
	server, other *peer.Process
	attack        *load // to the hung
	with, without *measured

	mu             sync.Mutex
	slowest, known time.Duration // answers to messages for the hung: all, and after the first turn
	threads        int
}

func newBeside(t *testing.T, besieged int) *beside {
	store := powercut.NewLoopback(t)
	b := &beside{store: store, besieged: besieged}
	b.hung, b.well = filepath.Join(store.Dir, "mail"), filepath.Join(ownDir(t), "mail")
	var more strings.Builder
	for n := users / 2; n < b.besieged; n++ {
		fmt.Fprintf(&more, "[[user]]\naddress = %q\nhome = %q\n", address(2*n), home(b.hung, b.well, 2*n))
	}
	s := openSites(t, b.hung, b.well, more.String())
	for n := users / 2; n < b.besieged; n++ {
		makeStore(t, home(b.hung, b.well, 2*n))
	}
	alone := filepath.Join(ownDir(t), "mail")
	other := openSite(t, alone, "")
	b.server, b.other = s.start(t), other.start(t)
	b.attack = newLoad(s)
	b.with, b.without = &measured{load: newLoad(s), store: b.well}, &measured{load: newLoad(other), store: alone}
	return b
}

// toAll sends a message to each mailbox on the file system that hangs.
func (b *beside) toAll(t *testing.T, n int) (codes []int) {
	for first := 0; first < b.besieged; first += each {
		var to []int
		for i := first; i < min(first+each, b.besieged); i++ {
			to = append(to, 2*i)
		}
		id := messageID{-1000 - n, first}
		got := one(t, b.attack.site, id, to...)
		for i, code := range got {
			if code == 250 {
				b.attack.acked[copyID{id, to[i]}] = true
			}
		}
		codes = append(codes, got...)
	}
	return codes
}

func (b *beside) taken(codes []int) bool {
	return len(codes) == b.besieged && !slices.ContainsFunc(codes, func(code int) bool { return code != 250 })
}

// turn has all send for so long.
func (b *beside) turn(t *testing.T, length time.Duration, n int) {
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var all sync.WaitGroup
	for i := range besiegers {
		all.Go(func() { b.besiege(ctx, t, messageID{session: 100*n + i}, n > 0) })
	}
	b.with.run(t, length, n)
	b.threads = max(b.threads, threads(t, b.server.Pid()))
	all.Wait()
}

// besiege sends to mailboxes that hang, again and again.
func (b *beside) besiege(ctx context.Context, t *testing.T, id messageID, known bool) {
	again := time.NewTicker(pause)
	defer again.Stop()
	for ; ctx.Err() == nil; id.n++ {
		to, began := b.some(each), time.Now()
		b.attack.only(t, id, to...)
		b.mu.Lock()
		b.slowest = max(b.slowest, time.Since(began))
		if known {
			b.known = max(b.known, time.Since(began))
		}
		b.mu.Unlock()
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// some are accounts whose mailboxes are on the file system that hangs.
func (b *beside) some(n int) (users []int) {
	for _, i := range rand.Perm(b.besieged)[:n] {
		users = append(users, 2*i)
	}
	return users
}

// check holds against what was said what is there, on the file system that has hung.
func (b *beside) check(t *testing.T, recovered time.Duration) {
	if b.threads > 400 {
		t.Errorf("the server has %d threads", b.threads)
	}
	if recovered > 5*time.Second {
		t.Errorf("it takes %v to recover", recovered)
	}
	for code, n := range b.attack.refused {
		if code != "451" {
			t.Errorf("%d replies %s", n, code)
		}
	}
	if b.attack.refused["451"] == 0 || b.known > patience/10 {
		t.Errorf("to the hung: %v, within %v as soon as it is known", b.attack.refused, b.known)
	}
	onHung := finding{whole: map[copyID]int{}}
	for n := range b.besieged {
		f := lookAt(t, b.hung, 2*n, recognize)
		onHung.torn = append(onHung.torn, f.torn...)
		for id := range f.whole {
			onHung.whole[id] = 1 // one that was given up, and stored all the same, may be there more than once
		}
	}
	judge(t, "on the hung", b.attack.acked, onHung)
}

// A measured is a load with the time that each message took.
type measured struct {
	*load
	store string
	took  []time.Duration
	time  time.Duration
}

// check holds what is there against what was said in a turn, and removes it.
func (m *measured) check(t *testing.T, what string) {
	t.Helper()
	if len(m.refused)+len(m.broken) > 0 {
		t.Errorf("%s: refused %v, broken %v", what, m.refused, m.broken)
	}
	judge(t, what, m.acked, look(t, m.store))
	clear(m.acked)
	for user := range users {
		for _, file := range stored(t, m.store, user) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// run sends for so long, over sessions that last.
func (m *measured) run(t *testing.T, length time.Duration, turn int) {
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var all sync.WaitGroup
	began := time.Now()
	for i := range healthy {
		all.Go(func() {
			conn, err := client.Dial(t.Context(), m.site.target(), client.Options{Timeout: patience, FinalTimeout: patience})
			if err != nil {
				m.breaks(err)
				return
			}
			defer conn.Close()
			for n := 0; ctx.Err() == nil; n++ {
				id, began := messageID{10_000 + 100*turn + i, n}, time.Now()
				if err := m.send(t.Context(), conn, id, 1+2*rand.IntN(users/2)); err != nil {
					m.breaks(err)
					return
				}
				m.mu.Lock()
				m.took = append(m.took, time.Since(began))
				m.mu.Unlock()
			}
		})
	}
	all.Wait()
	m.time += time.Since(began)
}

// rate is in messages per second.
func (m *measured) rate() float64 { return float64(len(m.took)) / m.time.Seconds() }

func (m *measured) String() string {
	slices.Sort(m.took)
	part := func(of float64) time.Duration {
		return m.took[int(of*float64(len(m.took)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d messages in %v, %.0f/s, median %v, p99 %v", len(m.took), m.time.Round(time.Second), m.rate(),
		part(0.5), part(0.99))
}

// loadAverage is that of the machine.
func loadAverage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
