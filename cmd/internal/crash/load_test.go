package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// patience is how long anything may take before a test gives up.
const patience = time.Minute

// A load is many sessions that send one message after the other, and what they were answered.
type load struct {
	site *site
	end  chan struct{} // closed to let sessions end with the message they are at
	// cut, if not nil, is closed when the power fails. With it everything stops, so that what is
	// heard later was never said.
	cut <-chan struct{}
	wg  sync.WaitGroup

	mu       sync.Mutex
	acked    map[copyID]bool
	promised map[copyID]bool // those acknowledged, and whether there is to be a report
	refused  map[string]int  // replies after the data that are not 250
	broken   []error         // sessions that ended otherwise
	told     func(acks int)  // called at each acknowledgement, if not nil
}

func newLoad(s *site) *load {
	return &load{site: s, end: make(chan struct{}), acked: map[copyID]bool{}, promised: map[copyID]bool{},
		refused: map[string]int{}}
}

// run starts sessions with the given numbers.
func (l *load) run(t *testing.T, from, to int) {
	for i := from; i < to; i++ {
		l.wg.Go(func() { l.session(t.Context(), i) })
	}
}

// stop lets the sessions end and waits for them.
func (l *load) stop() {
	close(l.end)
	l.wg.Wait()
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false // as for nil
	}
}

func (l *load) session(ctx context.Context, i int) {
	conn, err := client.Dial(ctx, l.site.target(), client.Options{Timeout: patience, FinalTimeout: patience})
	if err != nil {
		l.breaks(err)
		return
	}
	defer conn.Close()
	for n := 0; !closed(l.end); n++ {
		if err := l.send(ctx, conn, messageID{i, n}, anyUsers()...); err != nil {
			l.breaks(err)
			return
		}
	}
}

// only sends one message to the given users over a connection of its own.
func (l *load) only(t *testing.T, id messageID, to ...int) {
	conn, err := client.Dial(t.Context(), l.site.target(), client.Options{Timeout: patience, FinalTimeout: patience})
	if err == nil {
		err = errors.Join(l.send(t.Context(), conn, id, to...), conn.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// sendBeside sends messages to five users each of the first store, which does not answer, and meanwhile others
// to users of the second. It returns when a hundred of these are acknowledged; the sessions of both loads go on.
func (s *site) sendBeside(t *testing.T, messages int) (stuck, healthy *load) {
	stuck, healthy = newLoad(s), newLoad(s)
	for i := range messages {
		stuck.wg.Go(func() { stuck.only(t, messageID{i, 0}, 0, 2, 4, 6, 8+2*i) })
	}
	hundred := make(chan struct{})
	healthy.told = func(acks int) {
		if acks == 100 {
			close(hundred)
		}
	}
	for i := range 4 {
		healthy.wg.Go(func() {
			for n := 0; !closed(healthy.end); n++ {
				healthy.only(t, messageID{messages + i, n}, 1+2*(n%20))
			}
		})
	}
	await(t, hundred, "a hundred deliveries beside those that are stuck")
	return stuck, healthy
}

// anyUsers are one to five recipients.
func anyUsers() []int { return rand.Perm(users)[:1+rand.IntN(5)] }

// send sends one message and notes what was said about it.
func (l *load) send(ctx context.Context, conn *client.Client, id messageID, to ...int) error {
	m := client.Message{From: "s@example.com", Content: strings.NewReader(id.text())}
	m.To = l.site.recipients(conn, to)
	r, err := conn.Send(ctx, m)
	if r == nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range r.Recipients {
		switch {
		case o.Delivered() && closed(l.cut):
		case o.Delivered():
			l.acked[copyID{id, to[i]}] = true
			l.promised[copyID{id, to[i]}] = m.To[i].Notify != ""
			if l.told != nil {
				l.told(len(l.acked))
			}
		case o.Err == nil:
			l.refused[fmt.Sprint(o.Final.Code)]++
		}
	}
	return err
}

// recipients are users, of whom senders want to hear where the server offers that.
func (s *site) recipients(conn *client.Client, users []int) (to []client.Recipient) {
	offers := s.desk != nil && conn.Extensions().Has("DSN")
	for _, user := range users {
		r := client.Recipient{Address: address(user)}
		if offers && asks(user) {
			r.Notify = "SUCCESS,FAILURE"
		}
		to = append(to, r)
	}
	return to
}

func (l *load) breaks(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = append(l.broken, err)
}

// one sends a single message over a connection of its own, and returns the replies' codes.
func one(t *testing.T, s *site, id messageID, to ...int) (codes []int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := client.Dial(ctx, s.target(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := client.Message{From: "s@example.com", Content: strings.NewReader(id.text())}
	m.To = s.recipients(conn, to)
	r, err := conn.Send(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Recipients {
		codes = append(codes, o.Final.Code)
	}
	return codes
}

// onlyTemporary wants every refusal to have been a 4xx.
func (l *load) onlyTemporary(t *testing.T) {
	t.Helper()
	for code, n := range l.refused {
		if code[0] != '4' {
			t.Errorf("%d replies %s", n, code)
		}
	}
}
