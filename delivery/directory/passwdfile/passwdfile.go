// Package passwdfile is a directory in a file of Dovecot's passwd-file format: lines as in
// /etc/passwd, with extra fields after. It is read again when it has changed.
package passwdfile

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

const (
	// maxFile bounds a file, in octets: a million accounts and more.
	maxFile = 256 << 20
	// settling is how long a file must have been left alone before it is believed: a program
	// that writes it in place is then through with it.
	settling = time.Second
	// byteOrderMark is what some editors put before a text in UTF-8. It is part of no name.
	byteOrderMark = "\ufeff"
	// interval is how often at most the file is looked at.
	interval = 100 * time.Millisecond
)

// Options say how a file is read.
type Options struct {
	Path string
	// Key returns the key of a name in the file.
	Key directory.Keyer
	// DefaultDomain is the domain of names without one; "" refuses these.
	DefaultDomain string
	// Complain is called, each time the file was read, what is wrong in it. It may be nil.
	Complain func(error)
	// Now is the clock. [time.Now]
	Now func() time.Time
}

// A Directory is a file as it was when it was last read whole.
type Directory struct {
	options Options

	mu     sync.Mutex
	seen   os.FileInfo // what accounts were read from
	looked time.Time
	known  *accounts
	err    error // why there are none, or why those of before count
}

// accounts are the records of one state of the file.
type accounts struct {
	byKey  map[directory.Key]*directory.Account
	broken map[directory.Key]error
}

// has reports whether some line of the file is that of an account.
func (a *accounts) has(key directory.Key) bool {
	return a.byKey[key] != nil || a.broken[key] != nil
}

// Open reads the file for the first time. That it is missing or half written is no error of Open:
// it may come, and until then every lookup fails.
func Open(o Options) *Directory {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Complain == nil {
		o.Complain = func(error) {}
	}
	d := &Directory{options: o}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look()
	return d
}

// Lookup finds an account by its name.
func (d *Directory) Lookup(_ context.Context, key directory.Key) (directory.Entry, error) {
	known, err := d.now()
	if known == nil {
		return directory.Entry{}, err
	}
	if a, ok := known.byKey[key]; ok {
		return directory.Entry{Account: a}, nil
	}
	if err, ok := known.broken[key]; ok {
		return directory.Entry{}, err
	}
	if err != nil { // the account may be in what cannot be read now
		return directory.Entry{}, err
	}
	return directory.Entry{}, directory.ErrNotFound
}

// Accounts returns all accounts of the file, by their addresses.
func (d *Directory) Accounts(context.Context) iter.Seq2[*directory.Account, error] {
	return func(yield func(*directory.Account, error) bool) {
		known, err := d.now()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, key := range slices.SortedFunc(maps.Keys(known.byKey), byName) {
			if !yield(known.byKey[key], nil) {
				return
			}
		}
		for _, key := range slices.SortedFunc(maps.Keys(known.broken), byName) {
			if !yield(nil, known.broken[key]) {
				return
			}
		}
	}
}

func byName(a, b directory.Key) int {
	return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Local, b.Local))
}

// now returns the accounts as the file had them when it was last whole, and an error where it is not now.
func (d *Directory) now() (*accounts, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if since := d.options.Now().Sub(d.looked); since < 0 || since >= interval {
		d.look()
	}
	return d.known, d.err
}

// look reads the file if it has changed and is whole. Until then what was read before counts.
func (d *Directory) look() {
	d.looked = d.options.Now()
	info, err := os.Stat(d.options.Path)
	switch {
	case err != nil:
		d.fail(err)
		return
	case d.seen != nil && os.SameFile(info, d.seen) && info.Size() == d.seen.Size() &&
		info.ModTime().Equal(d.seen.ModTime()):
		d.err = nil
		return
	case d.known != nil && d.looked.Sub(info.ModTime()).Abs() < settling:
		d.err = fmt.Errorf("%s was changed a moment ago", d.options.Path) // it may be being written, which is no fault
		return
	}
	text, err := read(d.options.Path, info)
	if err != nil {
		d.fail(err)
		return
	}
	d.seen, d.known, d.err = info, d.parse(text), nil
}

// fail notes why the file cannot be read, once.
func (d *Directory) fail(err error) {
	if d.err == nil || d.err.Error() != err.Error() {
		d.options.Complain(err)
	}
	d.err = err
}

// read reads a file that looks like info, and refuses one that is being written: no user shall be
// unknown because their line is not there yet.
func read(path string, info os.FileInfo) (text []byte, err error) {
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path) // to open a pipe could take for ever
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	after, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s is larger than %d octets", path, maxFile)
	case int64(len(text)) != info.Size() || !after.ModTime().Equal(info.ModTime()) || !os.SameFile(after, info):
		return nil, fmt.Errorf("%s is being written", path)
	case len(text) == 0 || text[len(text)-1] != '\n':
		return nil, fmt.Errorf("%s is not whole: its last line has no end", path)
	}
	return text, nil
}

// parse understands the lines. One that makes no sense costs its own account the mail, for now, and no
// other's. Of two lines for an account the first counts, as with Dovecot.
func (d *Directory) parse(text []byte) *accounts {
	known := &accounts{byKey: map[directory.Key]*directory.Account{}, broken: map[directory.Key]error{}}
	names := newOwners()
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(text, []byte(byteOrderMark))))
	lines.Buffer(nil, maxFile)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		a, err := record(line, d.options, names)
		if err == nil && !known.has(a.Key) {
			known.byKey[a.Key] = a
			continue
		}
		if a != nil && known.has(a.Key) {
			err = fmt.Errorf("account %q has an earlier line, which counts", a.Address)
		}
		err = fmt.Errorf("%s:%d: %w", d.options.Path, number, err)
		d.options.Complain(err)
		if a != nil && !known.has(a.Key) {
			known.broken[a.Key] = err
		}
	}
	return known
}
