package mailbox

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// journal is a committer that is measured and not used. Each copy is written into tmp/ and appended to one
// file, whose sync is shared by all who wait, and that is when it is acknowledged. Behind the client's back one
// syncfs makes many files durable, and only then they get their names in new/. It has no recovery, and is no
// promise: BenchmarkDeliver has it to tell what one would cost; docs/performance.md has the figures.
type journal struct {
	gate  *turnstile[uint64]
	root  int // a directory of the file system
	file  int
	syncs *rounds

	mu  sync.Mutex
	end int64

	staged chan *mailfile
	ended  chan struct{}
}

const (
	journalSize  = 64 << 20 // beyond it the file is written from its beginning again
	journalBatch = 256      // copies that are published together
)

// syncsFile is the kernel with one file synced for every sync.
type syncsFile struct {
	kernel
	fd int
}

func (s syncsFile) fsync(int) error        { return unix.Fdatasync(s.fd) }
func (s syncsFile) takesChanges(int) error { return nil }

func newJournal(b *testing.B, dir string) *journal {
	root, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	file, err := unix.Openat(root, "journal", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	zeros := make([]byte, 1<<20) // written, so that no sync has blocks to allocate
	for at := int64(0); at < journalSize; at += int64(len(zeros)) {
		if _, err := unix.Pwrite(file, zeros, at); err != nil {
			b.Fatal(err)
		}
	}
	if err := unix.Fsync(file); err != nil {
		b.Fatal(err)
	}
	gate := newTurnstile[uint64](defaultParallel)
	j := &journal{gate: gate, root: root, file: file, syncs: newRounds(syncsFile{fd: file}, gate, nil),
		staged: make(chan *mailfile, 4*journalBatch), ended: make(chan struct{})}
	go j.publishStaged(b)
	return j
}

// close publishes what was acknowledged.
func (j *journal) close(b *testing.B) {
	close(j.staged)
	<-j.ended
	for _, fd := range []int{j.file, j.root} {
		if err := unix.Close(fd); err != nil {
			b.Error(err)
		}
	}
}

func (j *journal) seal(ctx context.Context, f *mailfile) error {
	if err := (&none{j.gate}).seal(ctx, f); err != nil {
		return err
	}
	record := [][]byte{f.header, f.msg.content.buf}
	if _, err := unix.Pwritev(j.file, record, j.reserve(int64(len(f.header)+len(f.msg.content.buf)))); err != nil {
		return err
	}
	return j.syncs.sync(directory{id: fileID{dev: f.dir.id.dev}})
}

// reserve gives a record its place.
func (j *journal) reserve(octets int64) (at int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.end+octets > journalSize {
		j.end = 0
	}
	at = j.end
	j.end += octets
	return at
}

// publish hands the copy on, with its open directories.
func (j *journal) publish(_ context.Context, f *mailfile) error {
	later := *f
	later.newName = later.sized(later.tmpName)
	f.dir = noMaildir
	j.staged <- &later
	return nil
}

// publishStaged publishes batches. The syncfs of one makes the names of the one before durable.
func (j *journal) publishStaged(b *testing.B) {
	defer close(j.ended)
	for first := range j.staged {
		batch := []*mailfile{first}
		for len(batch) < journalBatch {
			f, ok := <-j.staged
			if !ok {
				break
			}
			batch = append(batch, f)
		}
		if err := unix.Syncfs(j.root); err != nil {
			b.Error(err)
		}
		for _, f := range batch {
			if err := f.move(); err != nil {
				b.Error(err)
			}
			f.store().leave(f.dir)
		}
	}
}

func (j *journal) syncDir(directory) error { return nil }
