package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A host stands in for the test that the launchers of package peer expect: they fail it, and register with it what is
// to be done at its end.
type host struct {
	testing.TB // for what no launcher calls
	cleanups   []func()
	err        error
}

// errStop unwinds a launcher that has failed.
type errStop struct{ error }

// launch runs a launcher and returns its failure.
func (h *host) launch(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stop, ok := p.(errStop)
			if !ok {
				panic(p)
			}
			err = stop.error
		}
	}()
	f()
	return h.err
}

// end stops what was launched, last first.
func (h *host) end() {
	for _, f := range slices.Backward(h.cleanups) {
		f()
	}
	h.cleanups = nil
}

func (h *host) Helper()                         {}
func (h *host) Failed() bool                    { return h.err != nil }
func (h *host) Cleanup(f func())                { h.cleanups = append(h.cleanups, f) }
func (h *host) Logf(format string, args ...any) { say(format, args...) }
func (h *host) Errorf(format string, args ...any) {
	h.err = errors.Join(h.err, fmt.Errorf(format, args...))
}
func (h *host) Fatal(args ...any)                { h.Fatalf("%s", fmt.Sprint(args...)) }
func (h *host) Skipf(format string, args ...any) { h.Fatalf(format, args...) }
func (h *host) Fatalf(format string, args ...any) {
	h.Errorf(format, args...)
	panic(errStop{h.err})
}

// say reports progress.
func say(format string, args ...any) {
	fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// A site is where one contender keeps its mail, and what ends with the case.
type site struct {
	*host
	dir    string // of the contender, on the disk that is measured
	client string // the doorstep whose "send" is the client
}

// makeSite makes a site whose Maildirs the mail user may make.
func makeSite(dir, client string) (site, error) {
	s := site{new(host), dir, client}
	if err := os.MkdirAll(s.mail(), 0o755); err != nil {
		return s, err
	}
	return s, own(s.mail())
}

// mail is the directory of the Maildirs.
func (s site) mail() string { return filepath.Join(s.dir, "mail") }

// maildir is the Maildir of a mailbox.
func (s site) maildir(box string) string { return filepath.Join(s.mail(), box) }

// own makes the user as which the contenders run the owner of a path. When root runs this, that is Debian's user mail,
// as Dovecot delivers no mail as root.
func own(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(path, peer.MailUser, peer.MailUser)
}

// asMailUser is how contenders run when root starts them; nil for other users.
func asMailUser() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser}}
}

// asPart is the command that runs this program as one of its parts, as the mail user.
func asPart(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = name
	cmd.SysProcAttr = asMailUser()
	return cmd
}

// domain is that of all recipients.
const domain = "bench.example"

// aliases is how many addresses a mailbox has. smtp-source can write to another address with each message,
// <1u@...>, <2u@...> and so on, but does not begin again after a thousand.
const aliases = 10

// A box is a mailbox, and the local parts that lead to it.
type box struct {
	name    string
	aliases []string
}

// boxes lists the mailboxes for a Load without Box, each with its aliases, and then those that a Load can name.
func boxes() (all []box) {
	for i := range mailboxes {
		b := box{name: fmt.Sprintf("box%03d", i)}
		for n := i; n <= mailboxes*aliases; n += mailboxes {
			b.aliases = append(b.aliases, fmt.Sprintf("%du", n))
		}
		all = append(all, b)
	}
	all = append(all, box{name: "one"})
	for _, c := range cases {
		if c.Grown > 0 {
			all = append(all, box{name: c.Box})
		}
	}
	return all
}

// makeMaildirs makes the Maildirs of all mailboxes.
func (s site) makeMaildirs() error {
	for _, b := range boxes() {
		if err := s.makeMaildir(b.name); err != nil {
			return err
		}
	}
	return nil
}

// makeMaildir makes a Maildir, unless it is there.
func (s site) makeMaildir(box string) error {
	for _, dir := range []string{"", "tmp", "new", "cur"} {
		path := filepath.Join(s.maildir(box), dir)
		if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
			return err
		}
		if err := own(path); err != nil {
			return err
		}
	}
	return nil
}

// linksMost is how many names one file gets: ext4 allows 65,000.
const linksMost = 60_000

// grow makes a mailbox in which there is mail already. The files are links to a few, which is quick to make; the
// directory is as large as that of separate files.
func (s site) grow(box string, files int) error {
	if err := s.makeMaildir(box); err != nil {
		return err
	}
	dir := filepath.Join(s.maildir(box), "new")
	first, last := "", time.Now()
	for i := range files {
		name := filepath.Join(dir, fmt.Sprintf("%d.M%dP1Q%d.grown,S=9,W=13", 1_700_000_000+i, i%1_000_000, i))
		var err error
		if i%linksMost == 0 {
			first = name
			err = errors.Join(os.WriteFile(name, []byte("a: b\n\nc\n\n"), 0o600), own(name))
		} else {
			err = os.Link(first, name)
		}
		if err != nil {
			return err
		}
		if time.Since(last) > 5*time.Second {
			last = time.Now()
			say("  %s of %s files made", humanize.Comma(int64(i)), humanize.Comma(int64(files)))
		}
	}
	return nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(syscall.Fsync(fd), syscall.Close(fd))
}
