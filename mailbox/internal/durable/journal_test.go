package durable

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// journal is a Committer that is measured and not used. Each copy is written into tmp/ and appended to one
// file, whose sync is shared by all who wait, and then it is durable. Later one syncfs makes many files durable, and
// only then they get their names in new/ and are visible. It has no recovery, and is no
// promise: BenchmarkCommit has it to tell what one would cost; docs/performance.md has the figures.
type journal struct {
	committer
	root  int // a directory of the file system
	file  int
	syncs *rounds

	mu  sync.Mutex
	end int64

	staged chan *File
	ended  chan struct{}
}

const (
	journalSize  = 64 << 20 // beyond it the file is written from its beginning again
	journalBatch = 256      // copies that are published together
)

// syncsFile is the kernel with one file synced for every sync.
type syncsFile struct {
	kernel.Linux
	fd int
}

func (s syncsFile) Fsync(int) error        { return unix.Fdatasync(s.fd) }
func (s syncsFile) TakesChanges(int) error { return nil }

func newJournal(b *testing.B, disk *Disk, slots *Slots, dir string) *journal {
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
	j := &journal{
		committer: committer{disk, None, slots, nil}, root: root, file: file,
		syncs:  newRounds(&Disk{FS: kernel.FS{System: syncsFile{fd: file}}}, slots),
		staged: make(chan *File, 4*journalBatch), ended: make(chan struct{}),
	}
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

// Publish makes the copy durable in the journal, and hands it on with its open directories.
func (j *journal) Publish(_ context.Context, f *File) error {
	content, _ := f.Content.Memory()
	record := [][]byte{f.Header, content}
	if _, err := unix.Pwritev(j.file, record, j.reserve(int64(len(f.Header)+len(content)))); err != nil {
		return err
	}
	if err := j.syncs.sync(Directory{ID: kernel.FileID{Device: f.dir.ID.Device}}); err != nil {
		return err
	}
	later := *f
	f.dir = NoMaildir
	j.staged <- &later
	return nil
}

// reserve returns where a record goes.
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

// publishStaged publishes batches. The syncfs of one makes the names of the one before durable.
func (j *journal) publishStaged(b *testing.B) {
	defer close(j.ended)
	for first := range j.staged {
		batch := []*File{first}
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
			f.Observer.Publishing()
			err := f.rename()
			f.Observer.Visible(err)
			if err != nil {
				b.Error(err)
			}
			f.Leave()
		}
	}
}
