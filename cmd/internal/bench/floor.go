package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// The floor is the least that makes the promise: write a file in tmp/, sync it, rename it into new/, sync that
// directory; by as many at once as the load has sessions and recipients. There is no protocol, no address, and no load
// generator that takes its share of the processors.

const floorProgram = "bench-floor"

// A floorJob is what the program does, and a floorResult what it prints, both as JSON.
type floorJob struct {
	Load
	Mail     string
	Messages int
}

type floorResult struct {
	Took, P50, P99 time.Duration
	Memory         int64
}

// A floor is a subject that has a process for each run.
type floor struct{ mail string }

func startFloor(s site) (subject, error) { return &floor{s.mail()}, s.makeMaildirs() }

func (f *floor) run(ctx context.Context, l Load, messages int) (sample, error) {
	r, usage, err := f.work(ctx, l, messages)
	return sample{took: r.Took, cpu: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}, err
}

func (f *floor) look(ctx context.Context, l Load, messages int) (detail, error) {
	r, _, err := f.work(ctx, l, messages)
	return detail{p50: milliseconds(r.P50), p99: milliseconds(r.P99), memory: r.Memory}, err
}

// work runs the program.
func (f *floor) work(ctx context.Context, l Load, messages int) (r floorResult, usage syscall.Rusage, err error) {
	job, err := json.Marshal(floorJob{l, f.mail, messages})
	if err != nil {
		return r, usage, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := asPart(ctx, floorProgram, string(job))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		return r, usage, fmt.Errorf("floor: %w", err)
	}
	return r, *cmd.ProcessState.SysUsage().(*syscall.Rusage), nil
}

// floorMain is the program.
func floorMain(args []string) error {
	var job floorJob
	if len(args) != 1 {
		return fmt.Errorf("%s takes a job", floorProgram)
	}
	if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
		return err
	}
	content := append(bytes.Repeat([]byte("Header: some fields of trace\n"), 16),
		bytes.Repeat([]byte(strings.Repeat("X", 79)+"\n"), job.Size/80)...)
	times := make([]time.Duration, job.Messages)
	sessions, ctx := errgroup.WithContext(context.Background())
	var next atomic.Int64
	begin := time.Now()
	for range job.Sessions {
		sessions.Go(func() error {
			for n := int(next.Add(1)) - 1; n < job.Messages && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				began := time.Now()
				if err := job.deliver(n, content); err != nil {
					return err
				}
				times[n] = time.Since(began)
			}
			return nil
		})
	}
	if err := sessions.Wait(); err != nil {
		return err
	}
	r := floorResult{Took: time.Since(begin), P50: percentile(times, 50), P99: percentile(times, 99)}
	var err error
	if r.Memory, err = ownPeak(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// deliver stores one message for all its recipients, at the same time.
func (j floorJob) deliver(message int, content []byte) error {
	var copies errgroup.Group
	for i := range j.Recipients {
		n := message*j.Recipients + i
		box := j.Box
		if box == "" {
			box = fmt.Sprintf("box%03d", n%mailboxes)
		}
		dir := filepath.Join(j.Mail, box)
		if j.Recipients == 1 {
			return bareLoop(dir, n, content)
		}
		copies.Go(func() error { return bareLoop(dir, n, content) })
	}
	return copies.Wait()
}

// bareLoop stores one copy.
func bareLoop(dir string, n int, content []byte) error {
	name := fmt.Sprintf("%d.P%dQ%d.floor", time.Now().Unix(), os.Getpid(), n)
	tmp, published := filepath.Join(dir, "tmp", name), filepath.Join(dir, "new", name)
	fd, err := unix.Open(tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	for len(content) > 0 && err == nil {
		var wrote int
		wrote, err = unix.Write(fd, content[:min(len(content), mib)])
		content = content[max(wrote, 0):]
	}
	if err == nil {
		err = unix.Fsync(fd)
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, published, unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	return syncDir(filepath.Join(dir, "new"))
}

// percentile is the value that p in a hundred are not above.
func percentile(times []time.Duration, p int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)-1)*p/100]
}
