package auth

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/lmtp"
)

func TestParse(t *testing.T) {
	users, problems := Parse("\ufeff# comment\n\n" +
		"alice@example.org:{PLAIN}one:1000:1000::/home/alice::extra=x\r\n" +
		"broken\n" +
		"用户@例え.example:{PLAIN}two\n" +
		"bob:{SHA256}AAAA\n" +
		"alice@example.org:{PLAIN}three\n" +
		"a b:{PLAIN}four\n" +
		":{PLAIN}five\n" +
		"Carol:{PLAIN}six") // no line end: the file may be in the middle of being written
	want := []Problem{
		{4, `user "broken": no password`},
		{6, `user "bob": SHA256: 3 octets, where the digest has 32`},
		{7, `user "alice@example.org" is there twice, and the first counts`},
	}
	if diff := cmp.Diff(want, problems[:3]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(problems) != 5 || problems[3].Line != 8 || problems[4].Line != 9 {
		t.Errorf("problems of lines 8 and 9: %v", problems[3:])
	}
	for name, password := range map[string]string{"alice@example.org": "one", "用户@例え.example": "two", "Carol": "six"} {
		if err := users.check(name, password); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if users.check("carol", "six") == nil {
		t.Error("the case of names is preserved (RFC 8265 §3.3), and carol is not Carol")
	}
}

// A counting secret counts how often it is checked.
type counting struct {
	checks *atomic.Int64
	price  int64
}

func (c counting) matches(string) bool { c.checks.Add(1); return true }
func (c counting) cost() int64         { return c.price }

// TestUnknownNamesCostTheSame: whatever the name, and however its password is kept, an attempt checks one secret of
// each kind, even with a password that is right for a decoy.
func TestUnknownNamesCostTheSame(t *testing.T) {
	var cheap, dear atomic.Int64
	f := fileOf(&Users{
		secrets: map[string]secret{"known": counting{&dear, 10}, "other": counting{&cheap, 1}, "third": counting{&dear, 10}},
		decoys:  []secret{counting{&dear, 10}, counting{&cheap, 1}},
	})
	for i, name := range []string{
		"known", "other", "third", "unknown", "", "a b", "\xff", strings.Repeat("x", 300), "Known",
	} {
		_, err := f.login(t.Context(), name, "x")
		e := (*lmtp.Error)(nil)
		if i < 3 && err != nil || i >= 3 && (!errors.As(err, &e) || e.Code != 535 || e.Enhanced != "5.7.8") {
			t.Errorf("%q: %v", name, err)
		}
		if cheap.Load() != int64(i)+1 || dear.Load() != int64(i)+1 {
			t.Errorf("%q: %d and %d checks in all, want one more of each", name, cheap.Load(), dear.Load())
		}
	}
}

// TestDecoysAreOfEachKind: a file has a decoy for each scheme and cost in it, and no two of one kind.
func TestDecoysAreOfEachKind(t *testing.T) {
	var lines []string
	for name, line := range goodSecrets {
		lines = append(lines, strings.ReplaceAll(name, " ", "_")+":"+line)
	}
	users, problems := Parse(strings.Join(lines, "\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	kinds, decoys := map[string]bool{}, map[string]bool{}
	for _, s := range users.secrets {
		kinds[kindOf(s)] = true
	}
	for _, s := range users.decoys {
		decoys[kindOf(s)] = true
	}
	if !maps.Equal(kinds, decoys) || len(users.decoys) != len(decoys) || len(decoys) < 4 {
		t.Errorf("%d kinds of secrets, %d decoys of %d kinds", len(kinds), len(users.decoys), len(decoys))
	}
	empty, _ := Parse("")
	if err := empty.check("anybody", ""); err == nil {
		t.Error("somebody is in an empty file")
	}
}

func TestScramCredentials(t *testing.T) {
	line := "known:" + scramLine
	a, _ := Parse(line)
	b, _ := Parse("# after a restart\n" + line)
	known, unknown := a.scramCredentials("known"), a.scramCredentials("unknown")
	if len(known.Salt) != len(unknown.Salt) || known.Iters != unknown.Iters ||
		len(known.StoredKey) != len(unknown.StoredKey) || len(known.ServerKey) != len(unknown.ServerKey) {
		t.Errorf("unknown names look unlike the others: %+v %+v", known, unknown)
	}
	for _, again := range []*Users{a, b} {
		if again.scramCredentials("unknown").KeyFactors != unknown.KeyFactors {
			t.Error("another salt the second time")
		}
	}
	if a.scramCredentials("unknown2").Salt == unknown.Salt {
		t.Error("the same salt for two names")
	}
}

// No more passwords are checked at once than there are processors; who waits too long is told to
// come again.
func TestTurns(t *testing.T) {
	f := fileOf(&Users{secrets: map[string]secret{}})
	for range cap(f.turns) {
		f.turns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.login(ctx, "a", "b")
	if e := (*lmtp.Error)(nil); !errors.As(err, &e) || e.Code != 454 {
		t.Errorf("got %v, want 454", err)
	}
	<-f.turns
	if _, err := f.login(t.Context(), "a", "b"); err == nil || len(f.turns) != cap(f.turns)-1 {
		t.Errorf("%v, and %d of %d turns are taken", err, len(f.turns), cap(f.turns))
	}
}

func TestFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	var log strings.Builder
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("alice:{PLAIN}one\n")
	f, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	login := func(name, password string) error {
		_, err := f.login(t.Context(), name, password)
		return err
	}
	if err := login("alice", "one"); err != nil {
		t.Fatal(err)
	}
	write("alice:{PLAIN}two\nbob:{SHA256}cut sho\n")
	if login("alice", "one") == nil || login("alice", "two") != nil {
		t.Error("the new password does not count")
	}
	if !strings.Contains(log.String(), "line=2") || strings.Contains(log.String(), "cut sho") {
		t.Errorf("the broken line is not named, or told: %s", log.String())
	}
	// Half a file leaves the old content, and is complained about once.
	write("alice:{PLAIN}thr")
	for range 3 {
		if err := login("alice", "two"); err != nil {
			t.Errorf("with half a file: %v", err)
		}
	}
	if n := strings.Count(log.String(), "its last line has no end"); n != 1 {
		t.Errorf("%d complaints, want 1: %s", n, log.String())
	}
	// Nor does one count that is written in place, and may not have all its lines yet.
	if err := os.WriteFile(path, []byte("# alice comes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := login("alice", "two"); err != nil {
		t.Errorf("while the file is written: %v", err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if login("alice", "two") == nil {
		t.Error("the file that was left alone does not count")
	}
	// Without a file nobody can authenticate, and nobody's password is wrong.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if e := (*lmtp.Error)(nil); !errors.As(login("alice", "two"), &e) || e.Code != 454 {
			t.Errorf("without its file: %v", e)
		}
	}
	if n := strings.Count(log.String(), "no client can authenticate"); n != 1 {
		t.Errorf("%d complaints, want 1: %s", n, log.String())
	}
	write("alice:{PLAIN}three\n")
	if err := login("alice", "three"); err != nil {
		t.Error(err)
	}
	if _, err := Open(path+".none", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened a file that is not there")
	}
}

// fileOf is a File of users that are already read.
func fileOf(u *Users) *File { return newFile(func() *Users { return u }) }

// FuzzParse reads any text as a password file. Each line is a user, or a problem at its place.
func FuzzParse(f *testing.F) {
	f.Add("alice@example.org:{PLAIN}one:1000:1000::/home/alice::extra=x\r\nbroken\n# comment\n")
	f.Add("a:{SHA256}AAAA\na:{SCRAM-SHA-256}4096,c2FsdA==,AAAA,BBBB\nb:{ARGON2ID}$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		users, problems := Parse(text)
		lines := strings.Split(text, "\n")
		if len(users.secrets)+len(problems) > len(lines) {
			t.Errorf("%q: %d users and %d problems", text, len(users.secrets), len(problems))
		}
		last := 0
		for _, p := range problems {
			if p.Line <= last || p.Line > len(lines) {
				t.Errorf("%q: a problem in line %d, and the last one in %d", text, p.Line, last)
			}
			last = p.Line
		}
	})
}
