package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestPostgresOutage and TestMariaDBOutage kill the database among deliveries, and start it again.
// Nobody is refused for good, nothing that was acknowledged is lost, and mail flows again without
// a restart of Doorstep.
func TestPostgresOutage(t *testing.T) { outage(t, "postgres", peer.StartPostgres(t)) }

func TestMariaDBOutage(t *testing.T) { outage(t, "mysql", peer.StartMariaDB(t)) }

func outage(t *testing.T, driver string, db *peer.Database) {
	db.Fill("mail", manual(t, driver+".md", "tables"),
		"INSERT INTO domain VALUES ('example.org', 'example.org', NULL)",
		"INSERT INTO account (domain_key, local_key, address) VALUES ('example.org', 'alice', 'alice@example.org'), "+
			"('example.org', 'bob', 'bob@example.org')")
	dir := place(t)
	s := serveConfig(t, dir, fmt.Sprintf(`hostname = "mail.example.org"
postmaster = "alice@example.org"
[[listen]]
address = "unix:lmtp"
[store]
path = "mail/{domain}/{local}/Maildir"
[[directory]]
driver = %q
host = "127.0.0.1"
port = %s
database = "mail"
user = %q
password_file = %q
cache_ttl = "0s" # each recipient is a question
timeout = "2s"
`, driver, db.Port, peer.DatabaseUser, db.PasswordFile))

	p := &persistent{crowd: crowd{acked: map[string]bool{}, first: make(chan struct{})}}
	ctx, stop := context.WithCancel(t.Context())
	for i := range 8 {
		p.wg.Go(func() { p.session(ctx, t, "unix:"+filepath.Join(dir, "lmtp"), i) })
	}
	peer.Await(t, patience, "deliveries before the outage", func() bool { return p.count(&p.delivered) >= enough })
	db.Crash()
	peer.Await(t, patience, "deferred recipients", func() bool { return p.count(&p.deferred) >= enough })
	db.Start()
	before := p.count(&p.delivered)
	peer.Await(t, patience, "deliveries after the outage", func() bool { return p.count(&p.delivered) >= before+enough })
	stop()
	p.wg.Wait()
	if unknown := p.check(t, dir, stored); unknown > 0 {
		t.Errorf("%d messages are there though their senders were not told", unknown)
	}
	if text := s.log.String(); strings.Contains(text, "level=ERROR") || !strings.Contains(text, "directory "+driver+":") {
		t.Errorf("the log does not say what was wrong, or says too much:\n%.4000s", text)
	}
	t.Logf("%d delivered, %d deferred", p.delivered, p.deferred)
}

// persistent is a crowd that tries each message until it is delivered, as an MTA does.
type persistent struct {
	crowd
	mu                  sync.Mutex
	delivered, deferred int
}

func (p *persistent) count(n *int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *n
}

func (p *persistent) session(ctx context.Context, t *testing.T, target string, i int) {
	for j := 0; ctx.Err() == nil; {
		conn, err := client.Dial(ctx, target, client.Options{Timeout: patience})
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		for err == nil && ctx.Err() == nil { // until the server has had enough of refused recipients
			var done bool
			if done, err = p.send(ctx, t, conn, i, j); done {
				j++
			}
		}
		_ = conn.Close() // it may be broken already
	}
}

// send tries one message once, and reports whether it is delivered.
func (p *persistent) send(ctx context.Context, t *testing.T, conn *client.Client, i, j int) (bool, error) {
	subject := fmt.Sprintf("message %d of session %d", j, i)
	// Not under ctx: a message that is under way is sent to its end, and its answer counts.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	r, err := conn.Send(sending, client.Message{
		From: "s@example.com", To: client.To([]string{"alice", "bob"}[j%2] + "@example.org"),
		Content: strings.NewReader(message(subject)),
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r != nil && r.Recipients[0].Delivered():
		p.acked[subject] = true
		p.delivered++
		return true, err
	case r != nil && r.Recipients[0].Final.Code >= 500:
		t.Errorf("%s: refused for good: %s", subject, r.Recipients[0].Final)
	default:
		p.deferred++
	}
	return false, err
}
