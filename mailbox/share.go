package mailbox

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/internal/guard"
)

// With Options.SingleCopy copies of a message that are the same octets, of one owner and on one
// file system, are one file with several names (MDIR-16). The first of them whose Maildir is open
// writes and syncs it. The others are sealed with it, and are published by a name in their new/: what
// is whole and durable needs no way through tmp/. Each has its own directory synced.
//
// Nobody depends on the one that writes. When it fails, the next one writes; where there can be no
// other name (EMLINK, EXDEV, EPERM, a reader that has moved the file), a copy is a file of its own.

// A sameFile says which copies can be one file.
type sameFile struct {
	dev    uint64
	owner  Owner
	header string
}

// shares are the files of a message that its copies can share.
type shares struct {
	mu sync.Mutex
	at map[sameFile]*share
}

// A share is a file that is being written. What it says is written before over is closed, and
// never again.
type share struct {
	over             chan struct{}
	sealed           bool // and may be given another name; else its writer failed
	dir              maildir
	tmpName, newName string
}

// join gives the file to share, and whether the caller is the one to write it, who then owes a tell.
func (s *shares) join(key sameFile) (file *share, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if file := s.at[key]; file != nil {
		return file, false
	}
	if s.at == nil {
		s.at = make(map[sameFile]*share)
	}
	file = &share{over: make(chan struct{})}
	s.at[key] = file
	return file, true
}

// tell says what became of the file that f was to write. When that failed, the next one to join
// is the next to write.
func (s *shares) tell(key sameFile, file *share, f *mailfile, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		f.shared = true
		file.sealed, file.dir, file.tmpName, file.newName = true, f.dir, f.tmpName, f.sized(f.tmpName)
	} else {
		delete(s.at, key)
	}
	close(file.over)
}

// sealShared is seal for a copy that may share a file with others.
func (f *mailfile) sealShared(ctx context.Context) error {
	key := sameFile{f.dir.id.dev, f.to.Owner, string(f.header)}
	for {
		file, mine := f.msg.shares.join(key)
		if mine {
			err := guard.Call(func() error { return f.store().committer.seal(ctx, f) })
			f.msg.shares.tell(key, file, f, err)
			return err
		}
		select {
		case <-file.over:
		case <-ctx.Done():
			return fmt.Errorf("deliver to %s: %w", f.to, ctx.Err())
		}
		if !file.sealed {
			continue
		}
		if f.at == nowhere {
			f.source = file
			return nil
		}
		return f.store().committer.seal(ctx, f)
	}
}

// errUnshared says that a sealed file could not be given another name.
var errUnshared = errors.New("the file cannot be shared")

// share gives the sealed file f.source a name in the copy's new/, never over another file.
func (f *mailfile) share() error {
	sys, file := f.store().sys, f.source
	err := sys.link(file.dir.tmp, file.tmpName, f.dir.new, f.newName)
	if err == unix.ENOENT { // it has been published meanwhile
		err = sys.link(file.dir.new, file.newName, f.dir.new, f.newName)
	}
	if err == nil || err == unix.EEXIST {
		return err
	}
	_ = sys.unlink(f.dir.new, f.newName) // over the network a link can report an error and have happened
	return fmt.Errorf("%w: %w", errUnshared, err)
}

// publishAlone publishes a copy that could not share a file, as a file of its own.
func (f *mailfile) publishAlone(ctx context.Context) error {
	f.source = nil
	if err := f.store().committer.seal(ctx, f); err != nil {
		return err
	}
	return f.store().committer.publish(ctx, f)
}
