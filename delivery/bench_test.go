package delivery_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// BenchmarkTransaction is one message to one recipient, from MAIL to its outcome, with the
// log that a server writes, and without syncs: what is left is ours and the file system's.
func BenchmarkTransaction(b *testing.B) {
	agent, recipients := benchAgent(b, mailbox.None)
	session, from := benchSession()
	envelope := &lmtp.Envelope{ID: "0123456789abc.1", From: from}
	content := message(4 << 10)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := deliverOne(agent, session, envelope, recipients[i%len(recipients)], content); err != nil {
			b.Fatal(err)
		}
	}
}

// message is one of about size octets, with the header that a relayed one has.
func message(size int) []byte {
	const line = "A line of text such as people write, of seventy octets or thereabouts.\r\n"
	m := []byte("Received: from somewhere.example (somewhere.example [192.0.2.1])\r\n" +
		"\tby relay.example with ESMTPS id 4XyZ for <user@example.org>;\r\n\tMon, 23 Nov 2026 10:00:00 +0000\r\n" +
		"From: <sender@client.example>\r\nTo: <user@example.org>\r\nSubject: hello\r\nMessage-ID: <1@client.example>\r\n\r\n")
	for len(m) < size {
		m = append(m, line...)
	}
	return m
}

// BenchmarkAlias is one message for an alias of ten, all of whom take it, without a store of state and with one: what
// it costs to be ready for a member that does not.
func BenchmarkAlias(b *testing.B) {
	for _, remembers := range []bool{false, true} {
		b.Run(fmt.Sprintf("state=%v", remembers), func(b *testing.B) {
			accounts := static.New()
			var members []string
			for i := range 10 {
				local := fmt.Sprintf("user%d", i)
				members = append(members, local+"@example.org")
				err := accounts.Add(&directory.Account{Address: local + "@example.org",
					Key: directory.Key{Local: local, Domain: "example.org"}})
				if err != nil {
					b.Fatal(err)
				}
			}
			if err := accounts.AddAlias(directory.Key{Local: "all", Domain: "example.org"}, members...); err != nil {
				b.Fatal(err)
			}
			store, err := mailbox.New(mailbox.Options{Create: true, Host: "mx.example.org"})
			if err != nil {
				b.Fatal(err)
			}
			agent := &delivery.Agent{
				Router: &route.Router{
					Resolver: &route.Resolver{
						Domains: route.Domains{"example.org": {Name: "example.org", Key: "example.org"}}, Directory: accounts,
					},
					Layout: route.Layout(b.TempDir() + "/{domain}/{local}/Maildir"), Store: store,
				},
				Store: store, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			}
			if remembers {
				kept := state.NewSQLite(state.Options{Path: b.TempDir() + "/state.db"})
				defer kept.Close(b.Context())
				agent.State, agent.Router.Apart = kept, kept.Keeps
			}
			session := &lmtp.Session{ID: "0123456789abc", Hello: "client.example", Hostname: "mx.example.org"}
			to := &lmtp.Recipient{To: address.Address{Raw: "all@example.org", Local: "all", Domain: "example.org"}}
			content := message(4 << 10)
			for b.Loop() {
				tx, err := agent.Mail(b.Context(), session, &lmtp.Envelope{ID: "0123456789abc.1"})
				if err == nil {
					err = tx.Rcpt(b.Context(), to)
				}
				if err == nil {
					_, err = tx.Write(content)
				}
				if err != nil {
					b.Fatal(err)
				}
				if err := <-tx.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReports is messages of 16 sessions, each to one recipient, on the disk: without an outbox, with one that
// nobody asks anything of, and with a report on each of them. The reports are sent meanwhile, to a server that takes
// them at once.
func BenchmarkReports(b *testing.B) {
	for name, tt := range map[string]struct {
		offers bool
		notify lmtp.Notify
	}{"off": {}, "offered": {offers: true}, "success": {true, lmtp.NotifySuccess}} {
		b.Run(name, func(b *testing.B) {
			agent, recipients := benchAgent(b, mailbox.Group)
			if tt.offers {
				box, err := outbox.Open(outbox.Options{Dir: b.TempDir(), Host: "mx.example.org", Entries: 1 << 30,
					Octets: 1 << 40, PerSender: 1e9, PerMinute: 1e9})
				if err != nil {
					b.Fatal(err)
				}
				defer box.Close()
				agent.Reports = delivery.Reports{Outbox: box, Header: 32 << 10}
				ctx, cancel := context.WithCancel(b.Context())
				var sending sync.WaitGroup
				sending.Go(func() {
					box.Run(ctx, func(context.Context, []outbox.Entry) outbox.Verdict { return outbox.Verdict{} })
				})
				defer sending.Wait()
				defer cancel()
			}
			for _, r := range recipients {
				r.Notify = tt.notify
			}
			session, from := benchSession()
			content := message(4 << 10)
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(16 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := next.Add(1)
					env := &lmtp.Envelope{ID: fmt.Sprint(n), From: from}
					if err := deliverOne(agent, session, env, recipients[n%int64(len(recipients))], content); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// deliverOne is one message from MAIL to its outcome.
func deliverOne(
	agent *delivery.Agent, session *lmtp.Session, env *lmtp.Envelope, to *lmtp.Recipient, content []byte,
) error {
	ctx := context.Background()
	tx, err := agent.Mail(ctx, session, env)
	if err != nil {
		return err
	}
	if err := tx.Rcpt(ctx, to); err != nil {
		return err
	}
	if _, err := tx.Write(content); err != nil {
		return err
	}
	return <-tx.Commit(ctx)
}

func benchSession() (*lmtp.Session, address.Address) {
	return &lmtp.Session{ID: "0123456789abc", Extended: true, Hello: "client.example", Hostname: "mx.example.org"},
		address.Address{Raw: "sender@client.example", Local: "sender", Domain: "client.example"}
}

// benchAgent is an agent with a hundred mailboxes.
func benchAgent(b *testing.B, durability mailbox.Durability) (*delivery.Agent, []*lmtp.Recipient) {
	b.Helper()
	const boxes = 100
	accounts := static.New()
	recipients := make([]*lmtp.Recipient, boxes)
	for i := range recipients {
		local := fmt.Sprintf("user%d", i)
		account := &directory.Account{Address: local + "@example.org",
			Key: directory.Key{Local: local, Domain: "example.org"}}
		if err := accounts.Add(account); err != nil {
			b.Fatal(err)
		}
		recipients[i] = &lmtp.Recipient{To: address.Address{Raw: account.Address, Local: local, Domain: "example.org"}}
	}
	store, err := mailbox.New(mailbox.Options{Durability: durability, Create: true, Host: "mx.example.org"})
	if err != nil {
		b.Fatal(err)
	}
	return &delivery.Agent{
		Router: &route.Router{
			Resolver: &route.Resolver{
				Domains:   route.Domains{"example.org": {Name: "example.org", Key: "example.org", Subaddress: "+"}},
				Directory: accounts,
			},
			Layout: route.Layout(b.TempDir() + "/{domain}/{local}/Maildir"),
			Store:  store,
		},
		Store: store,
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, recipients
}
