package durable

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// Copies of a message that are the same octets, of one owner and on one file system, can be one file with several
// names (MDIR-16). The first of them whose Maildir is open writes and syncs it. The others are staged with it, and are
// published by a name in their new/: what is whole and durable needs no way through tmp/. Each has its own directory
// synced.
//
// No copy depends on the one that writes. When it fails, the next one writes; where there can be no
// other name (EMLINK, EXDEV, EPERM, a reader that has moved the file), a copy is a file of its own.

// A sameFile says which copies can be one file.
type sameFile struct {
	device uint64
	owner  kernel.Owner
	header string
}

// Shares are the files of a message that its copies can share.
type Shares struct {
	mu    sync.Mutex
	files map[sameFile]*share
}

// A share is a file that is being written. What it says is written before over is closed, and
// never again.
type share struct {
	over             chan struct{}
	staged           bool // and may be given another name; else its writer failed
	dir              Maildir
	tmpName, newName string
}

// join returns the file to share, and whether the caller is the one to write it, who then owes an end.
func (s *Shares) join(key sameFile) (file *share, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if file := s.files[key]; file != nil {
		return file, false
	}
	if s.files == nil {
		s.files = make(map[sameFile]*share)
	}
	file = &share{over: make(chan struct{})}
	s.files[key] = file
	return file, true
}

// end says what became of the file that f was to write. When that failed, the next one to join
// is the next to write.
func (s *Shares) end(key sameFile, file *share, f *File, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		f.lent = true
		file.staged, file.dir, file.tmpName, file.newName = true, f.dir, f.tmpName, f.sized(f.tmpName)
	} else {
		delete(s.files, key)
	}
	close(file.over)
}

// stageShared stages a copy that may share a file with others.
func (c *committer) stageShared(ctx context.Context, f *File) error {
	key := sameFile{f.dir.ID.Device, f.Owner, string(f.Header)}
	for {
		file, mine := f.Shares.join(key)
		if mine {
			err := guard.Call(func() error { return c.stage(ctx, f) })
			f.Shares.end(key, file, f, err)
			return err
		}
		select {
		case <-file.over:
		case <-ctx.Done():
			return fmt.Errorf("deliver to %s: %w", f.To, ctx.Err())
		}
		if !file.staged {
			continue
		}
		if f.at == nowhere {
			f.source = file
			return nil
		}
		return c.stage(ctx, f)
	}
}

// errUnshared says that a staged file could not be given another name.
var errUnshared = errors.New("the file cannot be shared")

// linkSource links the staged file f.source into the copy's new/, never over another file.
func (f *File) linkSource() error {
	file := f.source
	err := f.disk.Link(file.dir.Tmp, file.tmpName, f.dir.New, f.newName)
	if err == unix.ENOENT { // it has been published meanwhile
		err = f.disk.Link(file.dir.New, file.newName, f.dir.New, f.newName)
	}
	if err == nil || err == unix.EEXIST {
		return err
	}
	_ = f.disk.Unlink(f.dir.New, f.newName) // over the network a link can report an error and have happened
	return fmt.Errorf("%w: %w", errUnshared, err)
}

// Return closes the Maildir of a copy from which others could take their name, when none does any more.
func (f *File) Return() {
	if f.lent {
		f.lent = false
		f.Leave()
	}
}
