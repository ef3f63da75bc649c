package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The floor is the least that makes the promise: write a file in tmp/, sync it, rename it into
// new/, sync that directory; by as many at once as the load has sessions and recipients. There
// is no protocol, no address, and no load generator that takes its share of the processors.

const floorProgram = "bench-floor"

// floorJob is what the program is told, and floorResult what it answers, both as JSON.
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

func startFloor(s site) (subject, error) {
	for _, box := range append(boxes(), namedBoxes()...) {
		if err := makeMaildir(s, box); err != nil {
			return nil, err
		}
	}
	return &floor{s.mail()}, nil
}

func (f *floor) run(ctx context.Context, l Load, messages int) (sample, error) {
	r, usage, err := f.work(ctx, l, messages)
	if err != nil {
		return sample{}, err
	}
	return sample{took: r.Took, cpu: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}, nil
}

func (f *floor) look(ctx context.Context, l Load, messages int) (detail, error) {
	r, _, err := f.work(ctx, l, messages)
	return detail{p50: r.P50, p99: r.P99, memory: r.Memory}, err
}

// work runs the program.
func (f *floor) work(ctx context.Context, l Load, messages int) (r floorResult, usage *syscall.Rusage, err error) {
	job, err := json.Marshal(floorJob{l, f.mail, messages})
	if err != nil {
		return r, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	part := asPart(floorProgram, string(job))
	cmd := exec.CommandContext(ctx, part.Path, part.Args[1:]...)
	cmd.Args[0] = floorProgram
	cmd.Stderr = os.Stderr
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = asMailUser()
	}
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		return r, nil, fmt.Errorf("floor: %w", err)
	}
	return r, cmd.ProcessState.SysUsage().(*syscall.Rusage), nil
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
	begin := time.Now()
	times, err := inSessions(job.Sessions, job.Messages, func(message int) error {
		return job.deliver(message, content)
	})
	if err != nil {
		return err
	}
	r := floorResult{Took: time.Since(begin), P50: percentile(times, 50), P99: percentile(times, 99)}
	if r.Memory, err = ownPeak(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// deliver stores one message for all its recipients, at the same time.
func (j floorJob) deliver(message int, content []byte) error {
	errs := make(chan error, j.Recipients)
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
		go func() { errs <- bareLoop(dir, n, content) }()
	}
	var err error
	for range j.Recipients {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
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
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	if err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, published, unix.RENAME_NOREPLACE)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Join(dir, "new"))
}

// inSessions does the messages by so many at once, and tells how long each took. It begins no
// more of them after an error.
func inSessions(sessions, messages int, do func(message int) error) ([]time.Duration, error) {
	times := make([]time.Duration, messages)
	errs := make(chan error, sessions)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range sessions {
		workers.Go(func() {
			for n := int(next.Add(1)) - 1; n < messages; n = int(next.Add(1)) - 1 {
				begin := time.Now()
				if err := do(n); err != nil {
					errs <- err
					next.Store(int64(messages))
					return
				}
				times[n] = time.Since(begin)
			}
		})
	}
	workers.Wait()
	close(errs)
	return times, <-errs
}
