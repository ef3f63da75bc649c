package hosting

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	db "database/sql"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// BenchmarkPostgresLookup is sqlite's BenchmarkLookup in PostgreSQL, over a Unix socket.
func BenchmarkPostgresLookup(b *testing.B) {
	server := peer.StartPostgres(b)
	page, err := os.ReadFile("../../../docs/postgres.md")
	if err != nil {
		b.Fatal(err)
	}
	_, tables, _ := strings.Cut(string(page), "```sql\n")
	tables, _, _ = strings.Cut(tables, "```")
	server.Fill("mail", tables, `INSERT INTO account (domain_key, local_key, address, quota)
		SELECT 'x.example', 'user' || i, 'user' || i || '@x.example', 1073741824 FROM generate_series(0, 999999) AS i`, "ANALYZE")
	s := connect(server, "mail")
	s.Socket = server.Socket
	d := openDirectory(b, "postgres", s, preset(b, "doorstep"))
	cached := directory.NewCache(d, directory.CacheOptions{TTL: time.Hour})
	b.Run("uncached", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := d.Lookup(b.Context(), directory.Key{Local: fmt.Sprintf("user%d", i*7919%1_000_000),
				Domain: "x.example"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unknown", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := d.Lookup(b.Context(), directory.Key{Local: fmt.Sprintf("nobody%d", i),
				Domain: "x.example"}); err != directory.ErrNotFound {
				b.Fatal(err)
			}
		}
	})
	b.Run("cached", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := cached.Lookup(b.Context(),
				directory.Key{Local: fmt.Sprintf("user%d", i%1000), Domain: "x.example"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// boxes are how many mailboxes the deliveries go to.
const boxes = 1000

// BenchmarkDelivery is a message to one recipient, from MAIL to its outcome: with the accounts in
// the configuration, and with a million in SQLite, remembered and not. The three take turns, into
// the same mailboxes, so that what else the disk has to do is shared.
func BenchmarkDelivery(b *testing.B) {
	inMemory := static.New()
	for i := range boxes {
		key := directory.Key{Local: fmt.Sprintf("user%d", i), Domain: "x.example"}
		if err := inMemory.Add(&directory.Account{Address: key.String(), Key: key}); err != nil {
			b.Fatal(err)
		}
	}
	inSQLite := millionInSQLite(b)
	kinds := []struct {
		name string
		d    directory.Directory
	}{
		{"static", inMemory},
		{"sqlite", directory.NewCache(inSQLite, directory.CacheOptions{TTL: time.Minute, NegativeTTL: 10 * time.Second})},
		{"uncached", inSQLite},
	}
	for name, durability := range map[string]mailbox.Durability{"durable": mailbox.Group, "unsynced": mailbox.None} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			took := make([]time.Duration, len(kinds))
			var deliver []func(i int)
			for _, k := range kinds {
				deliver = append(deliver, deliverer(b, dir, k.d, durability))
			}
			for i := range boxes {
				deliver[1](i) // the Maildirs are there, and the accounts remembered
			}
			n := 0
			b.ResetTimer()
			for ; b.Loop(); n++ {
				for j := range kinds {
					turn := (n + j) % len(kinds) // nobody is always the first in a directory
					begun := time.Now()
					deliver[turn](n*7919 + j*331)
					took[turn] += time.Since(begun)
				}
			}
			for j, k := range kinds {
				b.ReportMetric(float64(took[j].Nanoseconds())/float64(n), k.name+"-ns/op")
			}
		})
	}
}

func millionInSQLite(b *testing.B) directory.Directory {
	path := filepath.Join(b.TempDir(), "accounts.db")
	s, err := sqlite.Create(b.Context(), sqlite.StoreOptions{Path: path, Key: directorytest.Key})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	raw, err := db.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.ExecContext(b.Context(), `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999)
		INSERT INTO account (domain_key, local_key, address) SELECT 'x.example', 'user' || i, 'user' || i || '@x.example' FROM n`); err != nil {
		b.Fatal(err)
	}
	d, err := sqlite.Open(sqlite.Options{Path: path, Queries: preset(b, "doorstep"), Ours: true, Key: directorytest.Key})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.Close(); err != nil {
			b.Error(err)
		}
	})
	return d
}

// deliverer delivers the message of one kind to one of the boxes.
func deliverer(b *testing.B, dir string, d directory.Directory, durability mailbox.Durability) func(i int) {
	store, err := mailbox.New(mailbox.Options{Durability: durability, Create: true, Host: "mx.example.org"})
	if err != nil {
		b.Fatal(err)
	}
	domain := &route.Domain{Name: "x.example", Key: "x.example", Subaddress: "+", Policy: address.LocalPolicy{Fold: true}}
	agent := &delivery.Agent{
		Router: &route.Router{
			Resolver: &route.Resolver{Domains: route.Domains{"x.example": domain}, Directory: d},
			Layout:   route.Layout(dir + "/{domain}/{local}/Maildir"), Store: store,
		},
		Store: store, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	session := &lmtp.Session{ID: "0123456789abc", Extended: true, Hello: "client.example", Hostname: "mx.example.org"}
	envelope := &lmtp.Envelope{ID: "0123456789abc.1",
		From: address.Address{Raw: "s@client.example", Local: "s", Domain: "client.example"}}
	content := []byte("Subject: hello\r\n\r\n" + strings.Repeat("A line of text.\r\n", 256))
	return func(i int) {
		ctx, local := context.Background(), fmt.Sprintf("user%d", i%boxes)
		tx, err := agent.Mail(ctx, session, envelope)
		if err == nil {
			err = tx.Rcpt(ctx, &lmtp.Recipient{To: address.Address{Raw: local + "@x.example", Local: local,
				Domain: "x.example"}})
		}
		if err == nil {
			_, err = tx.Write(content)
		}
		if err == nil {
			err = <-tx.Commit(ctx)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
