// Command bench measures Doorstep beside what it is compared with, on one disk and in one run: Dovecot's LMTP server,
// a server made of go-smtp and go-maildir, and the floor, a bare loop that makes the same promise without a protocol.
// Rates are measured under Postfix's smtp-source; latencies, memory and long messages under "doorstep send".
//
// The rounds of the contenders are interleaved, so that whatever else the machine does meets all of them alike, and
// what counts is the median of the rounds. The figures are written as JSON and as text for benchstat; the table and
// the chart of docs/performance.md are made from the JSON:
//
//	go run ./cmd/internal/bench            all cases, into docs/performance
//	go run ./cmd/internal/bench -quick     the main cases in a few minutes, into .cache/bench/results
//	go run ./cmd/internal/bench -h         what else there is
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// parts are the programs that this one can be. Parts of the comparison are programs of their own, so that their
// processor time and memory are not counted with those of the load: this program again, under another name.
var parts = map[string]func(args []string) error{
	floorProgram:  floorMain,
	goSMTPProgram: goSMTPMain,
}

func main() {
	if part, ok := parts[filepath.Base(os.Args[0])]; ok {
		exit(part(os.Args[1:]))
	}
	o, err := parseOptions(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		exit(err)
	case o.cases == "list":
		for _, c := range cases {
			fmt.Printf("%-14s %s\n", c.Name, c.Title)
		}
	case o.render:
		exit(render(o.out))
	case os.Geteuid() == 0 && os.Getenv(ownMounts) == "":
		exit(withOwnMounts())
	default:
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		exit(run(ctx, o))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures, and writes the results.
func run(ctx context.Context, o options) error {
	r, err := measure(ctx, o)
	if err != nil {
		return err
	}
	table, err := r.fill("page.md.tmpl")
	if err != nil {
		return err
	}
	fmt.Print(table)
	return errors.Join(r.write(o.out), r.writePage(o.out))
}

// render writes the results anew, from figures that were measured before.
func render(out string) error {
	r, err := readReport(out)
	if err != nil {
		return err
	}
	return errors.Join(r.write(out), r.writePage(out))
}

// ownMounts, in the environment, says that this process has mounts of its own.
const ownMounts = "DOORSTEP_BENCH_MOUNTS"

// withOwnMounts runs this program again in a mount namespace of its own: what it mounts, the slow disk, is seen by no
// other program and vanishes with it.
func withOwnMounts() error {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), ownMounts+"=yes")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	signal.Ignore(os.Interrupt) // it has its own way to end
	return cmd.Run()
}
