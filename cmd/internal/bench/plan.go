package main

import (
	"fmt"
	"slices"
	"strings"
)

// A Load is what is put on a contender.
type Load struct {
	Sessions   int    `json:"sessions"`
	Recipients int    `json:"recipients"`        // of each message
	Size       int    `json:"size"`              // octets of content, without the header
	Box        string `json:"box"`               // the one mailbox for all, "" for all in turn
	Sources    int    `json:"sources,omitempty"` // processes that it comes from, at most Sessions; 0: one
}

// A Case is a load, and how it is measured.
type Case struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Load
	// Grown is the number of files in the mailbox before the first message.
	Grown int `json:"grown,omitempty"`
	// Idle is the number of connections that do nothing; then there is no load.
	Idle int `json:"idle,omitempty"`
	// Messages of a round; 0: as many as take the period.
	Messages int `json:"messages,omitempty"`
	// Slow is measured on a disk whose flushes take slowFlush.
	Slow bool `json:"slow,omitempty"`
	// Bulk is measured in octets, and its mail is removed after each round.
	Bulk bool `json:"bulk,omitempty"`

	only  []string // the contenders, nil for all
	also  []string // settings of ours that most cases do not tell apart
	quick bool     // part of a quick run
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// mailboxes is how many there are for a Load without Box.
const mailboxes = 1000

// settingsIn says with how many sessions over many mailboxes a setting is measured.
var settingsIn = map[int][]string{1: {"owners"}, 16: {"quota", "owners", "sqlite"}}

// plan lists the cases that are asked for.
func plan(o options) []Case {
	var all []Case
	for _, sessions := range []int{1, 16, 64, 256} {
		all = append(all, Case{
			Name:  fmt.Sprintf("many-%d", sessions),
			Title: fmt.Sprintf("%s × 4 KiB, %s mailboxes", count(sessions, "session"), thousands(mailboxes)),
			Load:  Load{Sessions: sessions, Recipients: 1, Size: 4 * kib},
			quick: sessions < 256,
			also:  settingsIn[sessions],
		})
	}
	all = append(all,
		Case{Name: "one", Title: "16 sessions × 4 KiB, one mailbox",
			Load: Load{Sessions: 16, Recipients: 1, Size: 4 * kib, Box: "one"}, quick: true, also: []string{"quota"}},
		Case{Name: "fanout", Title: "4 sessions × 100 KiB, 50 recipients each",
			Load: Load{Sessions: 4, Recipients: 50, Size: 100 * kib}},
	)
	for _, sessions := range []int{1, 16} {
		all = append(all, Case{
			Name:  fmt.Sprintf("bulk-%d", sessions),
			Title: fmt.Sprintf("%s × 25 MiB", count(sessions, "session")),
			Load:  Load{Sessions: sessions, Recipients: 1, Size: 25 * mib, Sources: min(sessions, 4)}, Bulk: true,
		})
	}
	for _, sessions := range []int{1, 16, 64} {
		all = append(all, Case{
			Name: fmt.Sprintf("slow-%d", sessions),
			Title: fmt.Sprintf("%s × 4 KiB, %s mailboxes, on a disk that takes 2 ms for a flush", count(sessions, "session"),
				thousands(mailboxes)),
			Load: Load{Sessions: sessions, Recipients: 1, Size: 4 * kib}, Slow: true,
			only: []string{"group", "dovecot", "floor"},
		})
	}
	for _, files := range []int{1000, 100_000, 1_000_000} {
		if files == 1_000_000 && !o.million {
			continue
		}
		all = append(all, Case{
			Name:  fmt.Sprintf("grown-%d", files),
			Title: fmt.Sprintf("16 sessions × 4 KiB into a mailbox of %s files", thousands(files)),
			Load:  Load{Sessions: 16, Recipients: 1, Size: 4 * kib, Box: fmt.Sprintf("grown-%d", files)},
			Grown: files, Messages: 1000, only: []string{"group", "dovecot", "floor"},
		})
		if files == 1_000_000 {
			all[len(all)-1].only = []string{"group"} // a million names take their time
		}
	}
	return slices.DeleteFunc(append(all, idleCases()...), func(c Case) bool { return !o.wants(c) })
}

// idleCases: Dovecot has a process for each connection, and is not asked for ten thousand.
func idleCases() []Case {
	return []Case{
		{Name: "idle-1000", Title: "1,000 idle connections", Idle: 1000, only: []string{"group", "dovecot", "go"}},
		{Name: "idle-10000", Title: "10,000 idle connections", Idle: 10_000, only: []string{"group", "go"}},
	}
}

func (o options) wants(c Case) bool {
	if o.cases == "" {
		return c.quick || !o.quick
	}
	for name := range strings.SplitSeq(o.cases, ",") {
		if strings.HasPrefix(c.Name, name) {
			return true
		}
	}
	return false
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// wants reports whether a contender takes part.
func (c Case) wants(name string) bool {
	switch name {
	case "single": // it is like group but where a message has several recipients
		return c.Recipients > 1
	case "quota", "owners", "sqlite":
		return slices.Contains(c.also, name)
	}
	return c.only == nil || slices.Contains(c.only, name) || name == "against"
}

// warmUp is how many messages bring every mailbox of the load into being.
func (l Load) warmUp() int {
	switch {
	case l.Size >= mib:
		return l.Sessions
	case l.Box != "":
		return max(50, l.Sessions)
	}
	return max(mailboxes/l.Recipients, l.Sessions)
}
