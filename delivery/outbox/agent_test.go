package outbox_test

import (
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

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A site is an agent with an outbox whose system calls fail and hang, and a server that takes reports.
type site struct {
	root   string
	agent  *delivery.Agent
	store  *mailbox.Store
	box    *outbox.Box
	faults *outbox.Faulty

	mu   sync.Mutex
	sent []string // recipients that were reported of
	down error    // of the server
}

// A recipient of the message, and which reports are asked for.
type recipient struct {
	local  string
	notify lmtp.Notify
}

// The Maildir of broken cannot be made.
var recipients = []recipient{{"u1", lmtp.NotifySuccess}, {"broken", lmtp.NotifySuccess}, {"u2", 0},
	{"u3", lmtp.NotifySuccess}, {"u4", lmtp.NotifyFailure}}

// asks reports whether a report of success is.
func (r recipient) asks() bool { return r.notify&lmtp.NotifySuccess != 0 }

// newSite makes one below root, in which nothing depends on the disk.
func newSite(t *testing.T, root string) *site {
	t.Helper()
	s := &site{root: root, faults: &outbox.Faulty{}}
	store, err := mailbox.New(mailbox.Options{Create: true, Host: "mx.dst.example", Durability: mailbox.None})
	must(t, err)
	accounts := static.New()
	for _, to := range recipients {
		must(t, accounts.Add(&directory.Account{Address: to.local + "@dst.example", Key: key(to.local)}))
	}
	domains := route.Domains{"dst.example": {Name: "dst.example", Key: "dst.example"}}
	s.store = store
	s.agent = &delivery.Agent{
		Router: &route.Router{Resolver: &route.Resolver{Domains: domains, Directory: accounts},
			Layout: route.Layout(root + "/{local}/Maildir"), Store: store},
		Store: store, Log: slog.New(slog.DiscardHandler),
	}
	must(t, os.MkdirAll(filepath.Join(root, "broken"), 0o700))
	must(t, os.WriteFile(filepath.Join(root, "broken", "Maildir"), nil, 0o600))
	s.open(t)
	return s
}

func key(local string) directory.Key { return directory.Key{Local: local, Domain: "dst.example"} }

// open opens the outbox, as a process does when it starts.
func (s *site) open(t *testing.T) {
	t.Helper()
	o := outbox.Options{Dir: filepath.Join(s.root, "outbox"), Host: "mx.dst.example"}
	s.faults.On(&o)
	box, err := outbox.Open(o)
	must(t, err)
	s.box, s.agent.Reports = box, delivery.Reports{Outbox: box, Header: 32 << 10}
}

func (s *site) close(t *testing.T) {
	t.Helper()
	s.box.Close()
	must(t, s.store.Close())
}

// deliver sends a message to all recipients, and returns what becomes of each of them.
func (s *site) deliver(t *testing.T, id string) (outcomes []error) {
	t.Helper()
	s.deliverTo(t, id, recipients, func(_ string, err error) { outcomes = append(outcomes, err) })
	return outcomes
}

// deliverTo sends a message to some, and has each outcome noted when it is there.
func (s *site) deliverTo(t *testing.T, id string, to []recipient, note func(local string, err error)) {
	t.Helper()
	ctx := t.Context()
	session := &lmtp.Session{Hostname: "mx.dst.example"}
	from := address.Address{Raw: "s@src.example", Local: "s", Domain: "src.example"}
	tx, err := s.agent.Mail(ctx, session, &lmtp.Envelope{ID: id, From: from})
	must(t, err)
	for _, to := range to {
		to := &lmtp.Recipient{Notify: to.notify, To: address.Address{
			Raw: to.local + "@dst.example", Local: to.local, Domain: "dst.example"}}
		must(t, tx.Rcpt(ctx, to))
	}
	_, err = tx.Write([]byte("Subject: " + id + "\r\n\r\nx\r\n"))
	must(t, err)
	for err := range tx.Commit(ctx) {
		note(to[0].local, err)
		to = to[1:]
	}
}

// send is the server.
func (s *site) send(_ context.Context, group []outbox.Entry) outbox.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return outbox.Verdict{Err: s.down, Temporary: true}
	}
	for _, e := range group {
		subject, _, _ := strings.Cut(string(e.Header), "\r\n")
		s.sent = append(s.sent, strings.TrimPrefix(subject, "Subject: ")+" "+e.Final)
	}
	return outbox.Verdict{}
}

// reports is how often a message to a recipient was reported of.
func (s *site) reports(id, local string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.sent {
		if r == id+" "+local+"@dst.example" {
			n++
		}
	}
	return n
}

// copies is how often a recipient has a message.
func (s *site) copies(t *testing.T, id, local string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.root, local, "Maildir", "new", "*"))
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		if strings.Contains(string(text), "Subject: "+id+"\n") {
			n++
		}
	}
	return n
}

// run sends what waits, until stop is called.
func (s *site) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.box.Run(ctx, s.send)
	}()
	return func() {
		cancel()
		<-over
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// code is what a client is answered.
func code(err error) int {
	reply := (*lmtp.Error)(nil)
	switch {
	case err == nil:
		return 250
	case errors.As(err, &reply):
		return reply.Code
	}
	return 0
}

// checkReplies holds the replies to a message against what there is.
func (s *site) checkReplies(t *testing.T, what, id string, outcomes []error) {
	t.Helper()
	if len(outcomes) != len(recipients) {
		t.Errorf("%s: %d replies", what, len(outcomes))
		return
	}
	for i, to := range recipients {
		got, copies := code(outcomes[i]), s.copies(t, id, to.local)
		switch {
		case to.local == "broken" && got/100 != 4, to.local != "broken" && !to.asks() && got != 250:
			t.Errorf("%s: %s is answered %d", what, to.local, got)
		case got != 250 && got != 451 && got != 452:
			t.Errorf("%s: %s is answered %d: %v", what, to.local, got, outcomes[i])
		case got == 250 && copies != 1, got != 250 && copies != 0:
			t.Errorf("%s: %s is answered %d, and has %d copies", what, to.local, got, copies)
		}
	}
}

// checkReports holds what was reported of a message against the replies to it.
func (s *site) checkReports(t *testing.T, what, id string, outcomes []error) {
	t.Helper()
	for i, to := range recipients {
		want := 0
		if to.asks() && outcomes[i] == nil {
			want = 1
		}
		if got := s.reports(id, to.local); got != want {
			t.Errorf("%s: %d reports that %s has %s, of which the reply is %d", what, got, to.local, id, code(outcomes[i]))
		}
	}
}

// checkIdle wants nothing to be left of anything.
func (s *site) checkIdle(t *testing.T, what string) {
	t.Helper()
	synctest.Wait()
	if st := s.box.State(); !s.box.Idle() || !st.Offers || s.faults.Open() != 0 {
		t.Errorf("%s: %+v, %d files are open", what, st, s.faults.Open())
	}
	for _, sub := range []string{"tmp", "new", "failed"} {
		if left, err := filepath.Glob(filepath.Join(s.root, "outbox", sub, "*")); err != nil || len(left) > 0 {
			t.Errorf("%s: %s has %q, %v", what, sub, left, err)
		}
	}
}

var errnos = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EROFS, syscall.EACCES, syscall.EINTR}

// Every system call of the outbox fails once, and in a second form all calls from that one on, until the disk is well
// again. Who asked for no report is delivered to. Who asked is delivered to and reported of once, or is neither: also
// where it was only the last step that failed. A message that comes afterwards is as any other.
func TestAgentFaults(t *testing.T) {
	for _, errno := range errnos {
		for _, once := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, once %v", errno, once), func(t *testing.T) {
				t.Parallel()
				for n := range countCalls(t) {
					synctest.Test(t, func(t *testing.T) { faultAt(t, n, errno, once) })
				}
			})
		}
	}
}

// countCalls is how many system calls there are on the way of a message and its reports.
func countCalls(t *testing.T) (n int) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, outbox.Scratch(t))
		defer s.close(t)
		s.faults.Before(nil)
		defer s.run(t)()
		outcomes := s.deliver(t, "m1")
		time.Sleep(10 * time.Second)
		n = s.faults.Before(nil)
		s.checkReplies(t, "without faults", "m1", outcomes)
		s.checkReports(t, "without faults", "m1", outcomes)
		s.checkIdle(t, "without faults")
	})
	if n < 30 || n > 200 {
		t.Errorf("%d calls", n)
	}
	return n
}

func faultAt(t *testing.T, n int, errno syscall.Errno, once bool) {
	s := newSite(t, outbox.Scratch(t))
	defer s.close(t)
	var first outbox.Call
	var mu sync.Mutex
	fired := false
	s.faults.Before(func(i int, c outbox.Call) error {
		if i < n || once && i > n {
			return nil
		}
		mu.Lock()
		if !fired {
			fired, first = true, c
		}
		mu.Unlock()
		return &os.PathError{Op: c.Name, Path: c.Path, Err: errno}
	})
	stop := s.run(t)
	outcomes := s.deliver(t, "m1")
	time.Sleep(5 * time.Minute)
	s.faults.Before(nil)
	time.Sleep(30 * time.Minute) // with pauses that have doubled
	stop()
	what := fmt.Sprintf("call %d %s %s", n, first.Name, strings.TrimPrefix(first.Path, s.root))
	s.checkReplies(t, what, "m1", outcomes)
	s.checkReports(t, what, "m1", outcomes)
	for i, err := range outcomes {
		if full := errno == syscall.ENOSPC; err != nil && recipients[i].local != "broken" && (code(err) == 452) != full {
			t.Errorf("%s: %s is answered %v", what, recipients[i].local, err)
		}
	}
	stop = s.run(t)
	again := s.deliver(t, "m2")
	time.Sleep(2 * time.Hour)
	stop()
	s.checkReplies(t, what+", afterwards", "m2", again)
	s.checkReports(t, what+", afterwards", "m2", again)
	if slices.ContainsFunc(again, func(err error) bool { return err == nil }) && again[0] != nil {
		t.Errorf("%s: afterwards %v", what, again)
	}
	s.checkIdle(t, what)
}

// Every system call of the outbox hangs, alone or with all that come after it. The replies are there in time, few calls
// hang, the offer is withdrawn, and the program can stop. When the disk answers again nothing is left, and who was
// acknowledged is reported of.
func TestAgentHangs(t *testing.T) {
	for _, once := range []bool{true, false} {
		t.Run(fmt.Sprintf("once %v", once), func(t *testing.T) {
			t.Parallel()
			for n := range countCalls(t) {
				synctest.Test(t, func(t *testing.T) { hangAt(t, n, once) })
			}
		})
	}
}

func hangAt(t *testing.T, n int, once bool) {
	s := newSite(t, outbox.Scratch(t))
	defer s.close(t)
	lifted := make(chan struct{})
	var mu sync.Mutex
	var first outbox.Call
	hung, threads, most := false, 0, 0
	s.faults.Before(func(i int, c outbox.Call) error {
		if i < n || once && i > n {
			return nil
		}
		mu.Lock()
		if !hung {
			hung, first = true, c
		}
		threads++
		most = max(most, threads)
		mu.Unlock()
		<-lifted
		mu.Lock()
		threads--
		mu.Unlock()
		return nil
	})
	stop := s.run(t)
	began := time.Now()
	outcomes := s.deliver(t, "m1")
	took := time.Since(began)
	time.Sleep(5 * time.Minute)
	mu.Lock()
	what, didHang := fmt.Sprintf("call %d %s %s", n, first.Name, strings.TrimPrefix(first.Path, s.root)), hung
	mu.Unlock()
	if took > 15*time.Second {
		t.Errorf("%s: the replies took %v", what, took)
	}
	s.checkReplies(t, what, "m1", outcomes)
	if didHang && !once && s.box.Offers() {
		t.Errorf("%s: makes an offer", what)
	}
	began = time.Now()
	stop()
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("%s: it takes %v to stop", what, took)
	}
	mu.Lock()
	if most > len(recipients)+2 {
		t.Errorf("%s: %d calls hang at the same time", what, most)
	}
	mu.Unlock()
	close(lifted)
	s.faults.Before(nil)
	stop = s.run(t)
	time.Sleep(2 * time.Hour)
	again := s.deliver(t, "m2")
	time.Sleep(2 * time.Hour)
	stop()
	s.checkReports(t, what, "m1", outcomes)
	s.checkReplies(t, what+", afterwards", "m2", again)
	s.checkReports(t, what+", afterwards", "m2", again)
	s.checkIdle(t, what)
}
