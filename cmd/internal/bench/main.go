package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are what the flags say.
type options struct {
	dir      string
	out      string
	cases    string
	only     string
	rounds   int
	period   time.Duration
	quick    bool
	million  bool
	within   time.Duration
	render   bool
	against  string
	doorstep string
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.dir, "dir", ".cache/bench", "a `directory` on the disk to measure; what is made there is removed again")
	f.StringVar(&o.out, "out", "docs/performance",
		"the `directory` for bench.json and the chart; the page beside it, of that name and .md, gets the table\n(-quick: "+
			"results below -dir)")
	f.StringVar(&o.cases, "cases", "", "only cases whose name begins with one of these, with commas between (-cases "+
		"list names them)")
	f.StringVar(&o.only, "contenders", "", "only these, with commas between, such as group,dovecot,floor")
	f.IntVar(&o.rounds, "rounds", 3, "rounds of each contender in each case")
	f.DurationVar(&o.period, "period", 4*time.Second, "about how long a round lasts")
	f.BoolVar(&o.quick, "quick", false, "a run of a few minutes: short rounds, the main cases")
	f.BoolVar(&o.million, "million", false, "also a mailbox of a million files; making and removing it takes minutes")
	f.DurationVar(&o.within, "within", 0,
		"a run of all cases in about so much time, 12m say: the million files included, those contenders\nthat the targets "+
			"compare, and rounds of three as long as there is time for")
	f.BoolVar(&o.render, "render", false, "measure nothing, write the table and the chart of -out/bench.json anew")
	f.StringVar(&o.doorstep, "doorstep", "", "measure this `program` and do not build one")
	f.StringVar(&o.against, "against", "",
		"measure another doorstep `program` too, in group durability: the one before a change")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if o.quick && !given["period"] {
		o.period = 600 * time.Millisecond
	}
	if o.within > 0 && !given["contenders"] {
		o.only = withinContenders
	}
	o.million = o.million || o.within > 0
	if o.quick && !given["out"] {
		o.out = filepath.Join(o.dir, "results")
	}
	if f.NArg() > 0 || o.rounds < 1 || o.period <= 0 || o.within < 0 {
		return o, errors.New("bench takes flags only, and at least one round of some length")
	}
	return o, nil
}

func main() {
	// Parts of the comparison are programs of their own, so that their processor time and
	// memory can be told from those of the load: this program again, under another name.
	if part, ok := parts[filepath.Base(os.Args[0])]; ok {
		exit(part(os.Args[1:]))
	}
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil && o.cases == "list" {
		listCases(o)
		return
	}
	if err == nil && !o.render {
		var done bool
		if done, err = withOwnMounts(); done {
			exit(err)
		}
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, o)
	}
	exit(err)
}

// parts are the programs that this one can be.
var parts = map[string]func(args []string) error{
	floorProgram:  floorMain,
	goSMTPProgram: goSMTPMain,
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func listCases(o options) {
	o.million, o.cases, o.quick = true, "", false
	for _, c := range plan(o) {
		fmt.Printf("%-14s %s\n", c.Name, c.Title)
	}
}

// run measures, or reads what was measured, and writes the results.
func run(ctx context.Context, o options) error {
	var r *Report
	var err error
	if o.render {
		r, err = readReport(o.out)
	} else {
		r, err = measure(ctx, o)
	}
	if err != nil {
		return err
	}
	if !o.render {
		fmt.Print(table(r))
	}
	return writeResults(r, o.out)
}

// say tells what is going on.
func say(format string, args ...any) {
	fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05"), strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}
