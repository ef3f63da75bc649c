package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A contender takes part in the comparison.
type contender struct {
	name  string // in -cases, JSON and files
	title string // for people
	start func(s site) (subject, error)
}

// A subject is a contender that runs.
type subject interface {
	// run puts a load on it, of so many messages, and measures.
	run(ctx context.Context, l Load, messages int) (sample, error)
	// look is run for latencies and memory: it disturbs, and has rounds of its own.
	look(ctx context.Context, l Load, messages int) (detail, error)
}

// A sample is one round.
type sample struct {
	took time.Duration
	cpu  time.Duration // of the contender alone, in and outside the kernel
	load time.Duration // processor time of the load generator, which has the same processors
}

// A detail is what the round of the details tells.
type detail struct {
	p50, p99 time.Duration // of one message, from MAIL to its last reply
	memory   int64         // peak, in octets
}

// contenders lists them in the order of the table: first those that make the promise, then those
// that do not.
func contenders(o options) []contender {
	list := []contender{
		{"group", "Doorstep, group", setup{store: `durability = "group"`}.start(o.doorstep)},
		{"single", "Doorstep, group, single_copy", setup{store: "single_copy = true"}.start(o.doorstep)},
		{"each", "Doorstep, each", setup{store: `durability = "each"`}.start(o.doorstep)},
		{"quota", "Doorstep, group, with quotas", setup{quotas: true}.start(o.doorstep)},
		{"owners", "Doorstep, group, 16 owners", setup{owners: true}.start(o.doorstep)},
		{"sqlite", "Doorstep, group, accounts in SQLite", setup{sqlite: true}.start(o.doorstep)},
	}
	if o.against != "" {
		list = append(list, contender{"against", "the other Doorstep, group",
			setup{store: `durability = "group"`}.start(o.against)})
	}
	list = append(list,
		contender{"dovecot", "Dovecot LMTP", startDovecot},
		contender{"go-synced", "go-smtp + go-maildir, synced", goSMTP(true)},
		contender{"floor", "the floor: a bare loop", startFloor},
		contender{"none", "Doorstep, none: no sync", setup{store: `durability = "none"`}.start(o.doorstep)},
		contender{"go", "go-smtp + go-maildir: no sync", goSMTP(false)},
	)
	return slices.DeleteFunc(list, func(c contender) bool {
		return o.only != "" && !slices.Contains(strings.Split(o.only, ","), c.name)
	})
}

// A site is where one contender keeps its mail, and what ends with the case.
type site struct {
	*host
	dir string // of the contender, on the disk that is measured
}

// mail is the directory of the Maildirs.
func (s site) mail() string { return filepath.Join(s.dir, "mail") }

// maildir is the Maildir of a mailbox.
func (s site) maildir(box string) string { return filepath.Join(s.mail(), box) }

// makeSite makes a site whose Maildirs the mail user may make.
func makeSite(h *host, dir string) (site, error) {
	s := site{h, dir}
	if err := os.MkdirAll(s.mail(), 0o755); err != nil {
		return s, err
	}
	return s, s.own(s.mail())
}

// own returns a directory to the user as whom the contenders run: when root runs this, that is
// the one of Debian's mail, as Dovecot serves no mail of root.
func (s site) own(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(dir, peer.MailUser, peer.MailUser)
}

// domain is that of all recipients.
const domain = "bench.example"

// aliases is how many addresses each mailbox has. smtp-source can write to another address
// with each message, <1u@...>, <2u@...> and so on, but does not begin again after a thousand.
const aliases = 10

// boxes lists the mailboxes for a Load without Box.
func boxes() []string {
	list := make([]string, mailboxes)
	for i := range list {
		list[i] = fmt.Sprintf("box%03d", i)
	}
	return list
}

// aliasesOf lists the local parts that lead to mailbox i.
func aliasesOf(i int) []string {
	var list []string
	for n := i; n <= mailboxes*aliases; n += mailboxes {
		list = append(list, fmt.Sprintf("%du", n))
	}
	return list
}

// namedBoxes are the mailboxes that a Load can name.
func namedBoxes() []string {
	list := []string{"one"}
	for _, c := range plan(options{million: true}) {
		if c.Grown > 0 {
			list = append(list, c.Box)
		}
	}
	return list
}
