package main

import (
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are what the flags say.
type options struct {
	dir, out, cases, only  string
	rounds                 int
	period, within         time.Duration
	quick, million, render bool
	against, doorstep      string
}

// withinContenders take part when time is short: those that the targets compare, and "none", which no durability can
// exceed.
const withinContenders = "group,single,quota,owners,sqlite,dovecot,floor,none"

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.dir, "dir", ".cache/bench", "a `directory` on the disk to measure; what is made there is removed again")
	f.StringVar(&o.out, "out", "docs/performance", "the `directory` for bench.json, bench.txt and the chart; the page "+
		"beside it, of that name and .md, gets the table\n(-quick: results below -dir)")
	f.StringVar(&o.cases, "cases", "", "only cases whose name begins with one of these, with commas between (-cases "+
		"list names them)")
	f.StringVar(&o.only, "contenders", "", "only these, with commas between, such as group,dovecot,floor")
	f.IntVar(&o.rounds, "rounds", 3, "rounds of each contender in each case")
	f.DurationVar(&o.period, "period", 4*time.Second, "about how long a round lasts")
	f.BoolVar(&o.quick, "quick", false, "a run of a few minutes: short rounds, the main cases")
	f.BoolVar(&o.million, "million", false, "also a mailbox of a million files; making and removing it takes minutes")
	f.DurationVar(&o.within, "within", 0, "a run of all cases in about so much time, 12m say: the million files "+
		"included, those contenders\nthat the targets compare, and rounds of three as long as there is time for")
	f.BoolVar(&o.render, "render", false, "measure nothing, write text, table and chart anew from -out/bench.json")
	f.StringVar(&o.doorstep, "doorstep", "", "measure this `program` and do not build one")
	f.StringVar(&o.against, "against", "", "measure another doorstep `program` too, in group durability: the one "+
		"before a change")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if o.quick && !given["period"] {
		o.period = 600 * time.Millisecond
	}
	if o.quick && !given["out"] {
		o.out = filepath.Join(o.dir, "results")
	}
	if o.within > 0 && !given["contenders"] {
		o.only = withinContenders
	}
	o.million = o.million || o.within > 0
	if f.NArg() > 0 || o.rounds < 1 || o.period <= 0 || o.within < 0 {
		return o, errors.New("bench takes flags only, and at least one round of some length")
	}
	return o, nil
}

// A Load is what is put on a contender.
type Load struct {
	Sessions   int    `json:"sessions"`
	Recipients int    `json:"recipients"` // of each message
	Size       int    `json:"size"`       // octets of content, without the header
	Box        string `json:"box"`        // the one mailbox for all, "" for all in turn
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
	also  []string // settings of ours that make no difference in most cases
	quick bool     // part of a quick run
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// mailboxes is how many there are for a Load without Box.
const mailboxes = 1000

// million is the one case that takes minutes to prepare, and is measured when it is asked for.
const million = 1_000_000

// measuredMost are the contenders of cases that take long or compare the disk only.
var measuredMost = []string{"group", "dovecot", "floor"}

func many(sessions int) Load { return Load{Sessions: sessions, Recipients: 1, Size: 4 * kib} }
func bulk(sessions int) Load { return Load{Sessions: sessions, Recipients: 1, Size: 25 * mib} }
func into(box string) Load   { return Load{Sessions: 16, Recipients: 1, Size: 4 * kib, Box: box} }

// warmUp is how many messages make every mailbox of the load.
func (l Load) warmUp() int {
	switch {
	case l.Size >= mib:
		return max(2, l.Sessions)
	case l.Box != "":
		return max(50, l.Sessions)
	}
	return max(mailboxes/l.Recipients, l.Sessions)
}

// cases are all that can be measured. Dovecot has a process for each connection, and is not asked for ten thousand.
var cases = []Case{
	{Name: "many-1", Title: "1 session × 4 KiB, 1,000 mailboxes", Load: many(1), quick: true, also: []string{"owners"}},
	{Name: "many-16", Title: "16 sessions × 4 KiB, 1,000 mailboxes", Load: many(16), quick: true,
		also: []string{"quota", "owners", "sqlite"}},
	{Name: "many-64", Title: "64 sessions × 4 KiB, 1,000 mailboxes", Load: many(64), quick: true},
	{Name: "many-256", Title: "256 sessions × 4 KiB, 1,000 mailboxes", Load: many(256)},
	{Name: "one", Title: "16 sessions × 4 KiB, one mailbox", Load: into("one"), quick: true, also: []string{"quota"}},
	{Name: "fanout", Title: "4 sessions × 100 KiB, 50 recipients each",
		Load: Load{Sessions: 4, Recipients: 50, Size: 100 * kib}},
	{Name: "bulk-1", Title: "1 session × 25 MiB", Load: bulk(1), Bulk: true},
	{Name: "bulk-16", Title: "16 sessions × 25 MiB", Load: bulk(16), Bulk: true},
	{Name: "slow-1", Title: "1 session × 4 KiB, 1,000 mailboxes, on a disk that takes 2 ms for a flush",
		Load: many(1), Slow: true, only: measuredMost},
	{Name: "slow-16", Title: "16 sessions × 4 KiB, 1,000 mailboxes, on a disk that takes 2 ms for a flush",
		Load: many(16), Slow: true, only: measuredMost},
	{Name: "slow-64", Title: "64 sessions × 4 KiB, 1,000 mailboxes, on a disk that takes 2 ms for a flush",
		Load: many(64), Slow: true, only: measuredMost},
	{Name: "grown-1000", Title: "16 sessions × 4 KiB into a mailbox of 1,000 files",
		Load: into("grown-1000"), Grown: 1000, Messages: 1000, only: measuredMost},
	{Name: "grown-100000", Title: "16 sessions × 4 KiB into a mailbox of 100,000 files",
		Load: into("grown-100000"), Grown: 100_000, Messages: 1000, only: measuredMost},
	{Name: "grown-1000000", Title: "16 sessions × 4 KiB into a mailbox of 1,000,000 files",
		Load: into("grown-1000000"), Grown: million, Messages: 1000, only: []string{"group"}},
	{Name: "idle-1000", Title: "1,000 idle connections", Idle: 1000, only: []string{"group", "dovecot", "go"}},
	{Name: "idle-10000", Title: "10,000 idle connections", Idle: 10_000, only: []string{"group", "go"}},
}

// plan lists the cases that are asked for.
func plan(o options) (wanted []Case) {
	for _, c := range cases {
		named := slices.ContainsFunc(strings.Split(o.cases, ","), func(s string) bool { return strings.HasPrefix(c.Name, s) })
		if (o.cases != "" || c.quick || !o.quick) && named && (c.Grown < million || o.million) {
			wanted = append(wanted, c)
		}
	}
	return wanted
}

// wants reports whether a contender takes part.
func (c Case) wants(name string) bool {
	switch name {
	case "single": // it is like group except where a message has several recipients
		return c.Recipients > 1
	case "quota", "owners", "sqlite":
		return slices.Contains(c.also, name)
	}
	return c.only == nil || slices.Contains(c.only, name) || name == "against"
}
