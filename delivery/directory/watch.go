package directory

import (
	"context"
	"time"
)

// Watch gives d, and has told called with the time and the outcome of each lookup: an error
// that is not ErrNotFound is trouble. told is called from many goroutines, and must return at once.
func Watch(d Directory, told func(took time.Duration, err error)) Directory {
	return watched{d, told}
}

type watched struct {
	Directory
	told func(took time.Duration, err error)
}

func (w watched) Lookup(ctx context.Context, key Key) (*Account, error) {
	begun := time.Now()
	account, err := w.Directory.Lookup(ctx, key)
	w.told(time.Since(begun), err)
	return account, err
}
