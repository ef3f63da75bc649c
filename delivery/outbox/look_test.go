package outbox

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// listed are the names and states of what an outbox has.
func listed(t *testing.T, dir string) (list []string) {
	t.Helper()
	files, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text := f.Name
		if f.Aside {
			text += " aside"
		}
		if f.Err != nil {
			text += " bad"
		}
		list = append(list, text)
	}
	return list
}

// What is in an outbox is listed, whose ever it is, and found by its whole name.
func TestLook(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	if got := listed(t, dir); got != nil {
		t.Errorf("an outbox that is not there has %q", got)
	}
	b := open(t, Options{Dir: dir})
	put(t, b, entry("1", "u1@dst.example"), entry("1", "u2@dst.example"))
	draft, err := b.Stage(t.Context(), entry("2", "u3@dst.example")) // not published: nobody is to see it
	if err != nil {
		t.Fatal(err)
	}
	mine := files(t, b, "new")
	whole, err := os.ReadFile(b.disk.path("new", mine[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"new/1.AAAAAAAAAA.other.example": string(whole), "failed/2.BBBBBBBBBB.mx.dst.example": "{",
		"new/notes": "milk", "new/3.CCCCCCCCCC.mx.dst.example": string(whole[:len(whole)-1]),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"notes bad", "1.AAAAAAAAAA.other.example", "2.BBBBBBBBBB.mx.dst.example aside bad",
		"3.CCCCCCCCCC.mx.dst.example bad", mine[0], mine[1]}
	if got := listed(t, dir); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	f, err := Find(dir, mine[0])
	if err != nil || f.Entry.Final != "u1@dst.example" || string(f.Entry.Header) != "Subject: x\r\n\x00\xff" ||
		f.Host != "mx.dst.example" || f.Size != int64(len(whole)) || f.Since.IsZero() {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := Find(dir, "2.BBBBBBBBBB.mx.dst.example"); err != nil || !f.Aside || !errors.Is(f.Err, errDamaged) {
		t.Errorf("%+v, %v", f, err)
	}
	draft.discard()
}

// An entry is removed by its whole name, unless it is being sent, and nothing else is.
func TestRemove(t *testing.T) {
	b := open(t, Options{})
	dir := b.opts.Dir
	put(t, b, entry("1", "u1@dst.example"))
	name := files(t, b, "new")[0]
	secret := filepath.Join(filepath.Dir(dir), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{
		"", ".", "..", "../../secret", secret, "new/" + name, "../new/" + name, name + "/", name[:len(name)-1], name + "\x00",
		"\x00", "*", strings.Repeat("x", 300), strings.ToUpper(name) + "é",
	} {
		if err := Remove(dir, wrong); !errors.Is(err, ErrNoEntry) {
			t.Errorf("remove %q: %v", wrong, err)
		}
		if f, err := Find(dir, wrong); !errors.Is(err, ErrNoEntry) {
			t.Errorf("find %q: %+v, %v", wrong, f, err)
		}
	}
	held, err := b.due(time.Now()).hold(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir, name); !errors.Is(err, ErrBeingSent) {
		t.Errorf("while it is being sent: %v", err)
	}
	held.file.Close()
	if err := Remove(dir, name); err != nil {
		t.Error(err)
	}
	if held, err := b.due(time.Now()).hold(t.Context(), name); held != nil || err != nil || b.State().Entries != 0 {
		t.Error("the server has it still")
	}
	if err := Remove(dir, name); !errors.Is(err, ErrNoEntry) {
		t.Errorf("again: %v", err)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}

// Links lead nowhere, and neither they nor what a program may wait for are read.
func TestLookAtLinks(t *testing.T) {
	b := open(t, Options{})
	dir, outside := b.opts.Dir, t.TempDir()
	secret := filepath.Join(outside, "1.AAAAAAAAAA.mx.dst.example")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	link, pipe := "2.BBBBBBBBBB.mx.dst.example", "3.CCCCCCCCCC.mx.dst.example"
	socket, folder := "4.DDDDDDDDDD.mx.dst.example", "5.EEEEEEEEEE.mx.dst.example"
	if err := errors.Join(os.Symlink(secret, b.disk.path("new", link)), unix.Mkfifo(b.disk.path("new", pipe), 0o600),
		os.Mkdir(b.disk.path("new", folder), 0o700)); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(filepath.Join(dir, "new")) // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	t.Chdir(filepath.Join(dir, "new"))
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{link, pipe, socket, folder} {
		if f, err := Find(dir, name); err != nil || !errors.Is(f.Err, errNoFile) || f.Entry.Sender != "" {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	if got := listed(t, dir); len(got) != 4 {
		t.Errorf("%q", got)
	}
	for _, name := range []string{link, pipe, socket} {
		if err := Remove(dir, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Remove(dir, folder); err == nil {
		t.Error("a directory was removed")
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "secret" {
		t.Errorf("%s, %v", text, err)
	}
	// Nor where a part of the outbox is a link.
	part := filepath.Join(dir, "new")
	if err := errors.Join(os.RemoveAll(part), os.Symlink(outside, part)); err != nil {
		t.Fatal(err)
	}
	if files, err := List(dir); err == nil {
		t.Errorf("%+v", files)
	}
	if err := Remove(dir, filepath.Base(secret)); err == nil || errors.Is(err, ErrNoEntry) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}

// A server counts what becomes of reports, and says what it knows of those that wait.
func TestHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[string]int{}
		count := func(what string, n int) {
			mu.Lock()
			defer mu.Unlock()
			got[what] += n
		}
		faults, o := &Faulty{}, Options{Hooks: Hooks{
			Report:     func(o Outcome, recipients int) { count("report "+string(o), recipients) },
			Submission: func(o Outcome, _ time.Duration) { count("submission "+string(o), 1) },
		}}
		faults.On(&o)
		b := open(t, o)
		tries := 0
		s := &server{verdict: func(group []Entry) Verdict {
			switch group[0].Transaction {
			case "refused":
				return Verdict{Err: errors.New("no")}
			case "expired":
				return later
			}
			if tries++; tries == 1 {
				return Verdict{Err: errors.New("gone"), Temporary: true, Uncertain: true}
			}
			return Verdict{}
		}}
		put(t, b, entry("sent", "u1@dst.example"), entry("sent", "u2@dst.example"), entry("refused", "u1@dst.example"))
		if err := os.WriteFile(b.disk.path("new", "1.AAAAAAAAAA.mx.dst.example"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		stop := run(t, b, s)
		time.Sleep(2 * settle)
		known := b.Tries()
		if len(known) != 2 || known[0].Tries != 1 || time.Until(known[0].Next).Round(time.Minute) != time.Minute {
			t.Errorf("%+v", known)
		}
		put(t, b, entry("expired", "u1@dst.example"))
		time.Sleep(6 * 24 * time.Hour)
		stop()
		if known := b.Tries(); len(known) != 0 {
			t.Errorf("%+v", known)
		}
		draft, err := b.Stage(t.Context(), entry("lost", "u1@dst.example"))
		if err != nil {
			t.Fatal(err)
		}
		faults.Before(func(int, Call) error { return errDisk })
		if err := b.Publish(t.Context(), draft); !errors.Is(err, errDisk) {
			t.Errorf("%v", err)
		}
		deferred := got["submission deferred"]
		delete(got, "submission deferred")
		want := map[string]int{
			"report queued": 4, "report sent": 2, "report refused": 1, "report expired": 1, "report damaged": 1,
			"report lost":          1,
			"submission uncertain": 1, "submission sent": 1, "submission refused": 1,
		}
		if diff := cmp.Diff(want, got); diff != "" || deferred < 100 {
			t.Errorf("%d deferred %s", deferred, diff)
		}
	})
}
