package durable

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// memory is content in memory.
type memory []byte

func (m memory) Memory() ([]byte, bool) { return m, true }
func (m memory) CopyTo(*File) error     { panic("it is in memory") }
func (m memory) Sizes() maildir.Sizes {
	return maildir.Sizes{Disk: int64(len(m)), Bare: int64(bytes.Count(m, []byte("\n")))}
}

// visible counts the copies that are.
type visible struct{ copies atomic.Int64 }

func (v *visible) Publishing() {}

func (v *visible) Visible(err error) {
	if err == nil {
		v.copies.Add(1)
	}
}

// boxPath is a Maildir below the directory of a benchmark.
type boxPath string

func (p boxPath) String() string { return string(p) }

const benchMaildirs = 200

// BenchmarkCommit compares the Committers, with two that were tried, over many Maildirs below TMPDIR.
func BenchmarkCommit(b *testing.B) {
	root := b.TempDir()
	for _, sessions := range []int{1, 16, 64} {
		for _, name := range []string{"group", "two beats", "journal", "each", "none"} {
			b.Run(fmt.Sprintf("%s/%d", name, sessions), func(b *testing.B) {
				dir, err := os.MkdirTemp(root, "")
				if err != nil {
					b.Fatal(err)
				}
				disk := &Disk{FS: kernel.FS{System: kernel.Linux{}}, Names: maildir.NewNamer("h")}
				committer, finish := benchCommitter(b, name, disk, dir)
				var seen visible
				commitAll(b, committer, disk, dir, sessions, &seen)
				finish()
				if n := seen.copies.Load(); n != int64(b.N) {
					b.Errorf("%d of %d copies are visible", n, b.N)
				}
			})
		}
	}
}

func benchCommitter(b *testing.B, name string, disk *Disk, dir string) (c Committer, finish func()) {
	slots := semaphore.New[uint64](64)
	switch name {
	case "two beats":
		return newTwoBeats(disk, slots), func() {}
	case "journal":
		j := newJournal(b, disk, slots, dir)
		return j, func() { j.close(b) }
	}
	for mode := range modes {
		if Mode(mode).String() == name {
			c, _, err := New(disk, Mode(mode), 64)
			if err != nil {
				b.Fatal(err)
			}
			return c, func() {}
		}
	}
	b.Fatalf("no committer %q", name)
	return nil, nil
}

// commitAll commits b.N copies from several goroutines.
func commitAll(b *testing.B, c Committer, disk *Disk, dir string, sessions int, seen *visible) {
	for i := range benchMaildirs {
		for _, name := range []string{"tmp", "new"} {
			if err := os.MkdirAll(filepath.Join(dir, fmt.Sprint(i), name), 0o700); err != nil {
				b.Fatal(err)
			}
		}
	}
	content := memory(bytes.Repeat([]byte("0123456789012345678901234567890123456789012345678901234567890\n"), 100))
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var all sync.WaitGroup
	for range sessions {
		all.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				f := disk.File(Spec{To: boxPath(filepath.Join(dir, fmt.Sprint(n%benchMaildirs))), Content: content})
				f.Observer = seen
				if err := commitOne(c, disk, &f); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func commitOne(c Committer, disk *Disk, f *File) (err error) {
	md := NoMaildir
	if md.Tmp, err = disk.Open(unix.AT_FDCWD, f.To.String()+"/tmp", kernel.AsDirectory); err == nil {
		md.New, err = disk.Open(unix.AT_FDCWD, f.To.String()+"/new", kernel.AsDirectory)
	}
	if err == nil {
		md.ID, err = disk.Identify(md.New)
	}
	if err != nil {
		return err
	}
	f.Open(md)
	if err := c.Stage(context.Background(), f); err != nil {
		return err
	}
	if err := c.Publish(context.Background(), f); err != nil {
		return err
	}
	f.Leave()
	return nil
}
