package sqlite_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
)

// database makes a file with accounts in x.example, and nothing beside it.
func database(t *testing.T, locals ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.db")
	s, err := sqlite.Create(t.Context(), sqlite.StoreOptions{Path: path, Key: directorytest.Key})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddDomain(t.Context(), "x.example", ""); err != nil {
		t.Fatal(err)
	}
	for _, local := range locals {
		if err := s.AddAccount(t.Context(), directory.Account{Address: local + "@x.example"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// add adds an account as a verb does while a server reads.
func add(t *testing.T, path, local string) {
	t.Helper()
	if err := store(t, path).AddAccount(t.Context(), directory.Account{Address: local + "@x.example"}); err != nil {
		t.Fatal(err)
	}
}

// found asks for an account: true, false, or an error that defers its mail.
func found(d directory.Directory, local string) (bool, error) {
	_, err := d.Lookup(context.Background(), directory.Key{Local: local, Domain: "x.example"})
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func want(t *testing.T, d directory.Directory, local string, there bool) {
	t.Helper()
	if got, err := found(d, local); err != nil || got != there {
		t.Errorf("%s found: %t, %v; want %t", local, got, err, there)
	}
}

func wantDeferred(t *testing.T, d directory.Directory, local string, why error) {
	t.Helper()
	if got, err := found(d, local); !errors.Is(err, why) || got {
		t.Errorf("%s found: %t, %v; want %v", local, got, err, why)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// copyOver copies as cp does into a file that is there.
func copyOver(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, text, 0o600))
}

// TestReplaced: whatever the file is replaced with counts from the next question on.
func TestReplaced(t *testing.T) {
	swap := map[string]func(t *testing.T, from, to string){
		"mv": func(t *testing.T, from, to string) { must(t, os.Rename(from, to)) },
		"rm, mv": func(t *testing.T, from, to string) {
			for _, file := range []string{to, to + "-wal", to + "-shm"} {
				must(t, os.Remove(file))
			}
			must(t, os.Rename(from, to))
		},
		"mv away, mv": func(t *testing.T, from, to string) {
			must(t, os.Rename(to, to+".old"))
			must(t, os.Rename(from, to))
		},
		"cp": copyOver,
	}
	for name, replace := range swap {
		t.Run(name, func(t *testing.T) {
			path, backup := database(t, "both", "gone"), database(t, "both", "back")
			d := open(t, path)
			want(t, d, "gone", true)
			want(t, d, "back", false)
			replace(t, backup, path)
			want(t, d, "gone", false)
			want(t, d, "back", true)
			want(t, d, "both", true)
			if _, err := d.Domain(t.Context(), "x.example"); err != nil {
				t.Error(err)
			}
			add(t, path, "later")
			want(t, d, "later", true)
		})
	}
}

// TestReplacedLink: a symbolic link that leads elsewhere is another file.
func TestReplacedLink(t *testing.T) {
	one, two := database(t, "gone"), database(t, "back")
	path := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(one, path))
	d := open(t, path)
	want(t, d, "gone", true)
	must(t, os.Symlink(two, path+".new"))
	must(t, os.Rename(path+".new", path))
	want(t, d, "gone", false)
	want(t, d, "back", true)
}

// TestRemoved: a file that is missing, empty, cut off or of something else unknows nobody.
func TestRemoved(t *testing.T) {
	path := database(t, "alice")
	d := open(t, path)
	want(t, d, "alice", true)
	must(t, os.Rename(path, path+".away"))
	wantDeferred(t, d, "alice", fs.ErrNotExist)
	wantDeferred(t, d, "nobody", fs.ErrNotExist)

	whole, err := os.ReadFile(path + ".away")
	must(t, err)
	for _, size := range []int{0, 10, 100, 4096, len(whole) - 4096} {
		must(t, os.WriteFile(path, whole[:size], 0o600)) // in place, as cp does it
		for _, local := range []string{"alice", "nobody"} {
			if got, err := found(d, local); err == nil {
				t.Errorf("%s found in %d octets: %t", local, size, got)
			}
		}
	}
	must(t, os.WriteFile(path, whole, 0o600))
	want(t, d, "alice", true)
	want(t, d, "nobody", false)
}

// TestForeignLog: a database that came in the place of another has that one's log beside it. Nothing reads what
// the two make together, and nobody is refused for it.
func TestForeignLog(t *testing.T) {
	path, backup := database(t, "both"), database(t, "both", "back")
	d := open(t, path)
	want(t, d, "both", true)
	add(t, path, "added") // is in the log
	must(t, os.Rename(backup, path))
	wantDeferred(t, d, "back", sqlite.ErrForeignLog)
	wantDeferred(t, d, "added", sqlite.ErrForeignLog)
	wantDeferred(t, d, "nobody", sqlite.ErrForeignLog)
	must(t, os.Remove(path+"-wal"))
	must(t, os.Remove(path+"-shm"))
	want(t, d, "back", true)
	want(t, d, "added", false)
	add(t, path, "later")
	want(t, d, "later", true)
}

// TestLogReplaced: a log that is removed takes along what is only in it; what others write into the next one
// is seen.
func TestLogReplaced(t *testing.T) {
	path := database(t, "alice")
	d := open(t, path)
	want(t, d, "alice", true)
	must(t, os.Remove(path+"-wal"))
	must(t, os.Remove(path+"-shm"))
	add(t, path, "later")
	want(t, d, "later", true)
	want(t, d, "alice", true)
}

// TestReplacedUnderQuestions: while a file is replaced over and over, nobody who is in all of them is unknown.
func TestReplacedUnderQuestions(t *testing.T) {
	path := database(t, "alice")
	d := open(t, path)
	done := make(chan struct{})
	var asked, deferred int
	go func() {
		defer close(done)
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); asked++ {
			switch got, err := found(d, "alice"); {
			case err != nil:
				deferred++
			case !got:
				t.Error("alice is unknown")
				return
			}
		}
	}()
	for range 20 {
		must(t, os.Rename(database(t, "alice"), path))
	}
	<-done
	want(t, d, "alice", true)
	t.Logf("%d questions, %d deferred", asked, deferred)
}

// TestReplacedCache: what is remembered of a file does not outlive it, unless stale answers are wanted and there
// are no others.
func TestReplacedCache(t *testing.T) {
	for _, stale := range []time.Duration{0, time.Hour} {
		path, backup := database(t, "both", "gone"), database(t, "both", "back")
		d := open(t, path)
		cached := directory.NewCache(d, directory.CacheOptions{TTL: time.Hour, NegativeTTL: time.Hour, Stale: stale,
			Epoch: d.Epoch})
		want(t, cached, "gone", true)
		want(t, cached, "back", false)
		must(t, os.Rename(path, path+".away"))
		wantDeferred(t, d, "nobody", fs.ErrNotExist) // by a question that is not remembered, or within a second
		wantDeferred(t, cached, "back", fs.ErrNotExist)
		if stale > 0 {
			want(t, cached, "gone", true)
		} else {
			wantDeferred(t, cached, "gone", fs.ErrNotExist)
		}
		must(t, os.Rename(backup, path))
		want(t, cached, "gone", false)
		want(t, cached, "back", true)
	}
}

// TestOpenMistake: a query that makes no sense is an error of Open, without any file.
func TestOpenMistake(t *testing.T) {
	queries := sql.Queries{User: "SELECT :nothing"}
	if _, err := sqlite.Open(sqlite.Options{Path: "/nowhere/a.db", Queries: queries, Key: directorytest.Key}); err == nil {
		t.Error("opened")
	}
}
