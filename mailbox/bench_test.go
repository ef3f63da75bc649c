package mailbox

import (
	"context"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const benchMaildirs = 200

// BenchmarkDeliver compares a Store with a bare loop that makes the same promise, over many
// Maildirs on the disk below TMPDIR.
func BenchmarkDeliver(b *testing.B) {
	content, _ := lines(6000)
	wire := []byte(content)
	// One root that is emptied at the end: ext4 makes files slowly where many were just removed.
	root := b.TempDir()
	header := []byte("Return-Path: <sender@example.org>\r\nDelivered-To: <user@example.org>\r\n")
	for _, sessions := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("floor/%d", sessions), func(b *testing.B) {
			dests := benchMailboxes(b, root)
			octets := slices.Concat(header, wire)
			inSessions(b, sessions, func(n int64) error { return bareDelivery(dests[n%benchMaildirs], n, octets) })
		})
		for _, name := range []string{"group", "each", "none"} {
			b.Run(fmt.Sprintf("%s/%d", name, sessions), func(b *testing.B) {
				dests := benchMailboxes(b, root)
				s := open(b, Options{Create: true}, kernel.Linux{})
				for _, durability := range durabilities {
					if durability.String() == name {
						s = open(b, Options{Create: true, Durability: durability}, kernel.Linux{})
					}
				}
				for _, d := range dests { // as after the first delivery to each
					if err := send(b, s, "x\r\n", d)[0]; err != nil {
						b.Fatal(err)
					}
				}
				inSessions(b, sessions, func(n int64) (outcome error) {
					c := s.NewContent()
					defer c.Close()
					if _, err := c.Write(wire); err != nil {
						return err
					}
					m := c.Deliver(Copy{To: dests[n%benchMaildirs], Header: header})
					m.Commit(context.Background(), func(_ int, err error) { outcome = err })
					return outcome
				})
			})
		}
	}
}

// BenchmarkQuota is what a quota costs: the same deliveries with and without, into many Maildirs
// and into one.
func BenchmarkQuota(b *testing.B) {
	content, _ := lines(6000)
	wire := []byte(content)
	root := b.TempDir()
	for _, sessions := range []int{1, 16, 64} {
		for _, boxes := range []int64{benchMaildirs, 1} {
			for _, quota := range []Quota{{}, {Bytes: 1 << 40, Messages: 1 << 30}} {
				b.Run(fmt.Sprintf("boxes=%d/quota=%v/sessions=%d", boxes, quota != Quota{}, sessions), func(b *testing.B) {
					dests := benchMailboxes(b, root)
					s := open(b, Options{Create: true}, kernel.Linux{})
					for i := range dests {
						dests[i].Quota = quota
						if err := send(b, s, "x\r\n", dests[i])[0]; err != nil {
							b.Fatal(err)
						}
					}
					inSessions(b, sessions, func(n int64) (outcome error) {
						c := s.NewContent()
						defer c.Close()
						if _, err := c.Write(wire); err != nil {
							return err
						}
						m := c.Deliver(Copy{To: dests[n%boxes]})
						m.Commit(context.Background(), func(_ int, err error) { outcome = err })
						return outcome
					})
				})
			}
		}
	}
}

func benchMailboxes(b *testing.B, root string) []Dest {
	root, err := os.MkdirTemp(root, "")
	if err != nil {
		b.Fatal(err)
	}
	dests := make([]Dest, benchMaildirs)
	s := open(b, Options{Create: true, Durability: None}, kernel.Linux{})
	for i := range dests {
		dests[i] = Dest{Root: root, Path: fmt.Sprintf("example.org/u%d", i)}
		if err := send(b, s, "x\r\n", dests[i])[0]; err != nil {
			b.Fatal(err)
		}
	}
	return dests
}

// inSessions shares b.N deliveries among a number of goroutines.
func inSessions(b *testing.B, sessions int, deliver func(n int64) error) {
	b.ReportAllocs()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	begin, cpu := time.Now(), cpuTime(b)
	for range sessions {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := deliver(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "mails/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpuTime is what the process has used, in the kernel and outside: it says more than the
// clock on a machine that does other things.
func cpuTime(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// bareDelivery is the floor: the least that keeps the promise, on paths.
func bareDelivery(to Dest, n int64, octets []byte) error {
	dir := to.String()
	name := fmt.Sprintf("%d.bare", n)
	tmp := filepath.Join(dir, "tmp", name)
	fd, err := unix.Open(tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, octets); err != nil {
		return err
	}
	if err := unix.Fsync(fd); err != nil {
		return err
	}
	if err := unix.Close(fd); err != nil {
		return err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, filepath.Join(dir, "new", name),
		unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	newDir, err := unix.Open(filepath.Join(dir, "new"), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Fsync(newDir); err != nil {
		return err
	}
	return unix.Close(newDir)
}
