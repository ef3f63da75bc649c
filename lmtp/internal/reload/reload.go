// Package reload keeps what was made of files in step with them: a certificate or a password file
// is replaced while the server runs, and the next connection uses it.
package reload

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A Value is what was made of files. It may be used by many goroutines.
type Value[T any] struct {
	// Patient leaves a file that is written in place alone until it has not been changed for two seconds. Set it where
	// load cannot tell half a file from a whole one. A file that is moved into the place of another is whole.
	Patient bool

	load  func() (T, error)
	log   *slog.Logger
	files []string

	mu      sync.Mutex
	value   T
	running *refresh // nil: none

	// Of the refresh that runs.
	stamps   []stamp
	complain string // the error that was logged last
}

// New makes the first value with load, which reads the files. Later errors of load leave the
// value as it was, and go to the log, each once.
func New[T any](log *slog.Logger, load func() (T, error), files ...string) (*Value[T], error) {
	v := &Value[T]{load: load, log: log, files: files}
	stamps := v.look()
	value, err := load()
	if err != nil {
		return nil, err
	}
	v.value, v.stamps = value, stamps
	return v, nil
}

// patience is how long those who ask wait for files that do not answer.
const patience = time.Second

// A refresh is a look at the files, and what comes of it.
type refresh struct{ done, late chan struct{} }

// Get returns the value, made anew if a file has changed. Files on a file system that does not answer leave it as it
// was, and keep one goroutine: those who ask wait a second for that, and after that not at all.
func (v *Value[T]) Get() T {
	for first := true; ; first = false {
		r, mine := v.begin()
		select {
		case <-r.done:
			if first && !mine { // it may have looked before what the caller knows of was changed
				continue
			}
		case <-r.late:
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.value
	}
}

// begin begins a refresh, unless one is under way.
func (v *Value[T]) begin() (r *refresh, mine bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.running != nil {
		return v.running, false
	}
	r = &refresh{done: make(chan struct{}), late: make(chan struct{})}
	v.running = r
	late := time.AfterFunc(patience, func() {
		guard.Run(v.log, "files", func() {
			defer close(r.late)
			v.log.Error("files do not answer, and what was read before is used", "files", v.files)
		})
	})
	go func() {
		defer close(r.done)
		guard.Run(v.log, "files", v.refresh)
		answersAgain := !late.Stop()
		v.mu.Lock()
		v.running = nil
		v.mu.Unlock()
		if answersAgain {
			guard.Run(v.log, "files", func() { v.log.Info("files answer again", "files", v.files) })
		}
	}()
	return r, true
}

// refresh looks at the files, and makes the value anew if one has changed. There is one at a time.
func (v *Value[T]) refresh() {
	// What the files look like is asked before they are read: what changes meanwhile is then
	// seen the next time.
	stamps := v.look()
	if same(stamps, v.stamps) || v.Patient && writing(stamps, v.stamps) {
		return
	}
	value, err := v.load()
	v.stamps = stamps
	if err != nil {
		if v.complain != err.Error() {
			v.log.Error("changed files are not used", "error", err)
			v.complain = err.Error()
		}
		return
	}
	v.mu.Lock()
	v.value = value
	v.mu.Unlock()
	v.complain = ""
	v.log.Info("changed files are used", "files", v.files)
}

// A stamp is what tells one state of a file from another. The zero stamp is no file.
type stamp struct {
	info    os.FileInfo
	settled bool
}

// settling is for how long a file may still change without a new time: the kernel's clock for
// files ticks a few hundred times a second, some file systems' every two seconds.
const settling = 2 * time.Second

func (v *Value[T]) look() []stamp {
	stamps := make([]stamp, len(v.files))
	for i, name := range v.files {
		// A file that cannot be looked at cannot be read either, and load says why.
		if info, err := os.Stat(name); err == nil {
			stamps[i] = stamp{info, time.Since(info.ModTime()) > settling}
		}
	}
	return stamps
}

// writing reports whether a file is the one that it was before, and may be changing.
func writing(now, before []stamp) bool {
	for i := range now {
		a, b := now[i], before[i]
		if a.info != nil && b.info != nil && !a.settled && os.SameFile(a.info, b.info) &&
			(a.info.Size() != b.info.Size() || !a.info.ModTime().Equal(b.info.ModTime())) {
			return true
		}
	}
	return false
}

func same(a, b []stamp) bool {
	for i := range a {
		if a[i].info == nil || b[i].info == nil {
			if a[i].info != b[i].info {
				return false
			}
			continue
		}
		if !b[i].settled || !os.SameFile(a[i].info, b[i].info) || a[i].info.Size() != b[i].info.Size() ||
			!a[i].info.ModTime().Equal(b[i].info.ModTime()) {
			return false
		}
	}
	return true
}

// Read reads a regular file of at most that many octets: to open a pipe could take forever.
func Read(path string, most int64) (text []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", path)
	}
	if text, err = io.ReadAll(io.LimitReader(f, most+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("read %s: larger than %d octets", path, most)
	}
	return text, nil
}
