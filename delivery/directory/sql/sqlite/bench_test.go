package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// million fills a database with a million accounts.
func million(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "accounts.db")
	if err := store(tb, path).AddDomain(tb.Context(), "x.example", ""); err != nil {
		tb.Fatal(err)
	}
	execute(tb, path, `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999)
		INSERT INTO account (domain_key, local_key, address, quota) SELECT 'x.example', 'user' || i, 'user' || i || '@x.example', 1 << 30 FROM n`)
	return path
}

// BenchmarkLookup asks for one of a million accounts after the other, for one that is not there,
// and for one that is remembered.
func BenchmarkLookup(b *testing.B) {
	d := open(b, million(b))
	cached := directory.NewCache(d, directory.CacheOptions{TTL: time.Hour})
	for _, bench := range []struct {
		name string
		ask  func(ctx context.Context, i int) error
	}{
		{"uncached", func(ctx context.Context, i int) error {
			_, err := d.Lookup(ctx, directory.Key{Local: fmt.Sprintf("user%d", i*7919%1_000_000), Domain: "x.example"})
			return err
		}},
		{"unknown", func(ctx context.Context, i int) error {
			if _, err := d.Lookup(ctx, directory.Key{Local: fmt.Sprintf("nobody%d", i),
				Domain: "x.example"}); err != directory.ErrNotFound {
				return fmt.Errorf("found: %w", err)
			}
			return nil
		}},
		{"cached", func(ctx context.Context, i int) error {
			_, err := cached.Lookup(ctx, directory.Key{Local: fmt.Sprintf("user%d", i%1000), Domain: "x.example"})
			return err
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := bench.ask(b.Context(), i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
