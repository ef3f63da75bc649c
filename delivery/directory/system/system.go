// Package system is a directory of the accounts of the operating system. It asks getent(1), and so
// the name service switch with all that is configured there, or reads a file such as /etc/passwd;
// no C library is linked in.
package system

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/directory"

	"golang.org/x/sync/semaphore"
)

// Options describe a directory.
type Options struct {
	// Domains are those whose local parts are names of accounts. Account.Address has the one that
	// was asked for.
	Domains []string
	// Key returns the key of an address.
	Key directory.Keyer
	// File is a file of passwd(5) to read; "" asks getent.
	File string
	// Getent is the path of the program. [getent, as found in PATH]
	Getent string
	// FirstUID and LastUID bound the accounts that have mail: others are the system's own.
	// [1000, 60000]
	FirstUID, LastUID uint32
	// RefusedShells are login shells whose accounts take no mail.
	RefusedShells []string
	// Canary is an account that must be there: getent says of an account that there is none
	// also when the service that it asks does not answer. While the canary is not there, no other
	// account is taken to be unknown. "" for none.
	Canary string
	// Timeout bounds one question. [5s]
	Timeout time.Duration
}

// maxProcesses bounds the getents at once; a question that finds no room waits.
const maxProcesses = 16

// A Directory asks the system.
type Directory struct {
	options Options
	domains map[string]string // the spelling of each, by key
	source  source
}

// A source finds the line of passwd(5) of an account; ErrNotFound where there is none.
type source interface {
	find(ctx context.Context, name string) (line string, err error)
}

// Open returns a directory.
func Open(o Options) (*Directory, error) {
	if o.FirstUID == 0 {
		o.FirstUID = 1000
	}
	if o.LastUID == 0 {
		o.LastUID = 60000
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Getent == "" {
		o.Getent = "getent"
	}
	d := &Directory{options: o, domains: map[string]string{}, source: file(o.File)}
	if o.File == "" {
		d.source = getent{program: o.Getent, turns: semaphore.NewWeighted(maxProcesses)}
	}
	for _, name := range o.Domains {
		key, err := o.Key("u@" + name)
		if err != nil {
			return nil, fmt.Errorf("domain %q: %w", name, err)
		}
		d.domains[key.Domain] = name
	}
	return d, nil
}

// Lookup finds an account by its name.
func (d *Directory) Lookup(ctx context.Context, key directory.Key) (directory.Entry, error) {
	domain, ours := d.domains[key.Domain]
	if !ours || !isName(key.Local) {
		return directory.Entry{}, directory.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	line, err := d.source.find(ctx, key.Local)
	if errors.Is(err, directory.ErrNotFound) && d.options.Canary != "" {
		err = d.doubt(ctx)
	}
	if err != nil {
		return directory.Entry{}, err
	}
	account, err := d.record(line, key, domain)
	return directory.Entry{Account: account}, err
}

// doubt says whether an account that was not found is unknown.
func (d *Directory) doubt(ctx context.Context) error {
	_, err := d.source.find(ctx, d.options.Canary)
	if errors.Is(err, directory.ErrNotFound) {
		return fmt.Errorf("the system does not know the canary %q: unknown users cannot be recognized", d.options.Canary)
	}
	if err != nil {
		return err
	}
	return directory.ErrNotFound
}

// isName reports whether a local part can be the name of an account. What a number, an option or
// a line of passwd(5) could be taken for is none.
func isName(s string) bool {
	return s != "" && len(s) <= 256 && utf8.ValidString(s) && !strings.ContainsAny(s, ":/,") &&
		!strings.ContainsAny(s[:1], "-+ ") &&
		!strings.ContainsFunc(s, unicode.IsControl) &&
		strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// record understands a line.
//
//	name:password:uid:gid:gecos:home:shell
func (d *Directory) record(line string, key directory.Key, domain string) (*directory.Account, error) {
	address := key.Local + "@" + domain
	fields := strings.Split(line, ":")
	if len(fields) < 6 {
		return nil, directory.Broken(address, "%q is no line of passwd(5)", line)
	}
	owner, err := directory.ParseOwner(fields[2], fields[3])
	if err == nil && owner == nil {
		err = errors.New("has neither uid nor gid")
	}
	if err != nil {
		return nil, directory.Broken(address, "%w", err)
	}
	if owner.UID < d.options.FirstUID || owner.UID > d.options.LastUID {
		return nil, directory.ErrNotFound // one of the system's own
	}
	a := &directory.Account{Address: address, Key: key, Home: fields[5], Owner: owner}
	if len(fields) > 6 && slices.Contains(d.options.RefusedShells, fields[6]) {
		a.Disabled = "reject"
	}
	return a, a.Check()
}
