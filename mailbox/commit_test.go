package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCommitAll(t *testing.T) {
	root := scratch(t)
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	dests := make([]Dest, 5)
	for i := range dests {
		dests[i] = Dest{Root: root, Path: fmt.Sprintf("u%d", i)}
	}
	message := func() *outgoing {
		m := begin(s)
		for _, d := range dests {
			m.Add(d, nil)
		}
		if _, err := m.Write([]byte("x\r\n")); err != nil {
			t.Fatal(err)
		}
		return m
	}
	count := func() (n int) {
		for _, d := range dests {
			n += len(in(t, d.String(), "new")) + len(in(t, d.String(), "tmp"))
		}
		return n
	}
	m := message()
	if err := m.CommitAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if count() != 5 {
		t.Fatalf("%d copies, want 5", count())
	}
	for i, d := range dests {
		if _, err := os.Stat(d.String() + "/new/" + m.Name(i)); err != nil {
			t.Error(err)
		}
	}

	// DATA-12: nothing is published before everything is sealed.
	sys.take()
	if err := message().CommitAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	published := false
	for _, c := range sys.take() {
		published = published || c.name == "rename"
		if published && c.name == "fsync" && strings.Contains(c.path[len(root):], "/tmp/") {
			t.Errorf("%s was synced after another was published", c.path)
		}
	}

	for _, failing := range []struct{ call, in string }{
		{"writev", "/u3/tmp/"}, {"fsync", "/u3/tmp/"}, {"rename", "/u3/new/"}, {"fsync", "/u3/new"}, {"openBeneath", "/u0/"},
	} {
		t.Run("DATA-12 "+failing.call+failing.in, func(t *testing.T) {
			before := count()
			sys.before = func(_ int, c call) error {
				if c.name == failing.call && strings.Contains(c.path, failing.in) {
					return unix.EIO
				}
				return nil
			}
			m := message()
			err := m.CommitAll(context.Background())
			sys.before = nil
			if !errors.Is(err, unix.EIO) {
				t.Errorf("%v, want EIO", err)
			}
			if after := count(); after != before {
				t.Errorf("%d files before, %d after", before, after)
			}
			for i := range dests {
				if m.Name(i) != "" {
					t.Errorf("copy %d has the name %q", i, m.Name(i))
				}
			}
			if open := sys.leaks(); open != nil {
				t.Errorf("left open: %q", open)
			}
		})
	}
}

// When the context ends before a copy is published, the copy fails and nothing stays.
func TestContext(t *testing.T) {
	to := Dest{Root: scratch(t), Path: "u"}
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	for _, last := range []string{"", "openBeneath", "writev", "fsync", "rename"} {
		ctx, cancel := context.WithCancel(context.Background())
		if last == "" {
			cancel()
		}
		sys.before = func(_ int, c call) error {
			if c.name == last {
				cancel()
			}
			return nil
		}
		before := len(in(t, to.String(), "new"))
		m := begin(s)
		m.Add(to, nil)
		_, _ = m.Write([]byte("x\r\n"))
		m.Commit(ctx, func(_ int, err error) {
			want := 0
			if last == "rename" { // from here on it goes through
				want = 1
			}
			if got := len(in(t, to.String(), "new")) - before; got != want {
				t.Errorf("canceled at %q: %d published, want %d", last, got, want)
			}
			if (err == nil) != (want == 1) || err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("canceled at %q: %v", last, err)
			}
		})
		if left := in(t, to.String(), "tmp"); left != nil {
			t.Errorf("canceled at %q: tmp/ has %q", last, left)
		}
		cancel()
	}
}

// CommitAll heeds the end of its context until the first copy is published, and then goes through.
func TestContextAll(t *testing.T) {
	for _, tt := range []struct {
		last string
		want int
	}{{"writev", 0}, {"rename", 3}} {
		root := scratch(t)
		sys := newProbe()
		s := open(t, Options{Create: true}, sys)
		ctx, cancel := context.WithCancel(context.Background())
		m := begin(s)
		for i := range 3 {
			m.Add(Dest{Root: root, Path: fmt.Sprintf("u%d", i)}, nil)
		}
		_, _ = m.Write([]byte("x\r\n"))
		sys.before = func(_ int, c call) error {
			if c.name == tt.last {
				cancel()
			}
			return nil
		}
		err := m.CommitAll(ctx)
		if (err == nil) != (tt.want > 0) || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("canceled at %s: %v", tt.last, err)
		}
		got := 0
		for i := range 3 {
			got += len(in(t, root, fmt.Sprintf("u%d", i), "new"))
		}
		if got != tt.want {
			t.Errorf("canceled at %s: %d copies, want %d", tt.last, got, tt.want)
		}
		cancel()
	}
}

// A transaction with very many copies.
func TestManyCopies(t *testing.T) {
	const copies = 500
	root := scratch(t)
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	dests := make([]Dest, copies)
	for i := range dests {
		dests[i] = Dest{Root: root, Path: fmt.Sprintf("u%d", i)}
	}
	if err := errors.Join(send(t, s, "x\r\n", dests...)...); err != nil {
		t.Fatal(err)
	}
	for _, d := range dests {
		if got := mails(t, d); len(got) != 1 || got[0] != "x\n" {
			t.Errorf("%s: %q", d.Path, got)
		}
	}
	if open := sys.leaks(); open != nil {
		t.Errorf("left open: %q", open)
	}
}
