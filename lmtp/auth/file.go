package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/internal/reload"
)

const (
	// maxFile bounds a password file, in octets.
	maxFile = 64 << 20
	// maxWait is how long an attempt waits for its turn to be checked.
	maxWait = 10 * time.Second
)

// A File is a password file that is read again when it changes.
type File struct {
	get   func() *Users // as they are now
	turns chan struct{} // one for each password that may be checked at once
}

// Open reads a password file. Lines that are not understood are named in the log; the others count. It is read again
// when it changes: when it is whole, so that no credentials are wrong because their line is not there yet.
// When it is removed no client can authenticate, and each is to come again (454): what it said may have been revoked.
func Open(path string, log *slog.Logger) (*File, error) {
	var last *Users
	users, err := reload.New(log, func() (*Users, error) {
		users, problems, err := load(path, last != nil)
		for _, p := range problems {
			log.Error("password file", "file", path, "line", p.Line, "error", p.Text)
		}
		if last != nil && errors.Is(err, fs.ErrNotExist) {
			log.Error("the password file is gone, and no client can authenticate", "file", path)
			return &Users{gone: err, hasScram: last.hasScram}, nil
		}
		if err == nil {
			last = users
		}
		return users, err
	}, path)
	if err != nil {
		return nil, err
	}
	users.Patient = true
	return newFile(users.Get), nil
}

// newFile lets as many passwords be checked at once as there are processors: each takes one, and
// perhaps a great deal of memory, for as long as it lasts.
func newFile(get func() *Users) *File {
	processors := min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) // a server may have set the latter higher
	return &File{get: get, turns: make(chan struct{}, processors)}
}

// Load reads a password file once, with what is wrong in it.
func Load(path string) (users *Users, problems []Problem, err error) { return load(path, false) }

// load is Load, and can refuse a file whose last line has no end: a program may have died while it wrote it.
func load(path string, whole bool) (users *Users, problems []Problem, err error) {
	text, err := reload.Read(path, maxFile)
	switch {
	case err != nil:
		return nil, nil, err
	case whole && !bytes.HasSuffix(text, []byte("\n")):
		return nil, nil, fmt.Errorf("%s is not whole: its last line has no end", path)
	}
	users, problems = Parse(string(text))
	return users, problems, nil
}

// login checks a name and a password, and returns the name as it is in the file.
func (f *File) login(ctx context.Context, name, password string) (string, error) {
	password, err := preparePassword(password)
	if err != nil {
		return "", wrong("password: " + err.Error()) // the same for every name
	}
	prepared, err := prepareName(name)
	if err != nil {
		prepared = "" // which is no name, at the usual price
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		return "", busy(ctx.Err())
	}
	if err := f.get().check(prepared, password); err != nil {
		return "", err
	}
	return prepared, nil
}
