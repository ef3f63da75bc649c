package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// A Machine is where it was measured.
type Machine struct {
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	Memory     int64   `json:"memory"`
	Kernel     string  `json:"kernel"`
	FileSystem string  `json:"file_system"` // and its mount options
	Device     string  `json:"device"`
	FlushMS    float64 `json:"flush_ms"`
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`
}

// describeMachine looks at the machine and at the disk below dir.
func describeMachine(dir string) (m Machine, err error) {
	var name unix.Utsname
	var info unix.Sysinfo_t
	if err := errors.Join(unix.Uname(&name), unix.Sysinfo(&info)); err != nil {
		return m, err
	}
	m = Machine{CPU: "unknown", Cores: runtime.NumCPU(), LoadBefore: loadAverage(),
		Memory: int64(info.Totalram) * int64(info.Unit), Kernel: unix.ByteSliceToString(name.Release[:])}
	if proc, err := procfs.NewDefaultFS(); err == nil {
		if cpus, err := proc.CPUInfo(); err == nil && len(cpus) > 0 {
			m.CPU = cpus[0].ModelName
		}
	}
	m.FileSystem, m.Device = mounted(dir)
	m.FlushMS, err = flushTime(dir)
	return m, err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func loadAverage() float64 {
	var info unix.Sysinfo_t
	_ = unix.Sysinfo(&info) // it fails for a bad address only (sysinfo(2))
	return float64(info.Loads[0]) / (1 << unix.SI_LOAD_SHIFT)
}

// mounted names what is mounted where dir is.
func mounted(dir string) (fileSystem, device string) {
	return output("findmnt", "-n", "-o", "FSTYPE", "-T", dir) + " (" +
		output("findmnt", "-n", "-o", "OPTIONS", "-T", dir) + ")", output("findmnt", "-n", "-o", "SOURCE", "-T", dir)
}

// onDisk refuses a file system that syncs nothing.
func onDisk(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		return fmt.Errorf("%s is in memory, where a sync costs nothing\nhint: name a directory on a disk by -dir", dir)
	}
	return nil
}

// flushTime is the median of an fdatasync, in milliseconds, after a write of 4 KiB into a file whose blocks are there:
// what the disk itself takes.
func flushTime(dir string) (float64, error) {
	f, err := os.CreateTemp(dir, "flush")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took []time.Duration
	for range 200 {
		if _, err := f.WriteAt(make([]byte, 4*kib), 0); err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
	}
	return milliseconds(percentile(took, 50)), nil
}

// programVersions are those of all that take part.
func programVersions() map[string]string {
	module := func(name string) string { return output("go", "list", "-m", "-f", "{{.Version}}", name) }
	dovecot, _, _ := strings.Cut(output("/usr/sbin/dovecot", "--version"), " ")
	return map[string]string{
		"Go":         strings.TrimPrefix(runtime.Version(), "go"),
		"Doorstep":   output("git", "describe", "--tags", "--always", "--dirty"),
		"Postfix":    strings.TrimPrefix(output("/usr/sbin/postconf", "-d", "mail_version"), "mail_version = "),
		"Dovecot":    dovecot,
		"go-smtp":    module("github.com/emersion/go-smtp"),
		"go-maildir": module("github.com/emersion/go-maildir"),
	}
}

func output(program string, args ...string) string {
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// tick is the unit of the times in /proc: USER_HZ, which is 100 on every Linux there is.
const tick = 10 * time.Millisecond

// inSession calls see for each process of a session: each contender has one of its own.
func inSession(session int, see func(p procfs.Proc, s procfs.ProcStat)) error {
	all, err := procfs.AllProcs()
	if err != nil {
		return err
	}
	for _, p := range all {
		stat, err := p.Stat()
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended meanwhile; its time is its parent's
		}
		if err != nil {
			return err
		}
		if stat.Session == session {
			see(p, stat)
		}
	}
	return nil
}

// sessionCPU is the processor time that all processes of a session have used, with their children that have ended.
func sessionCPU(session int) (total time.Duration, err error) {
	err = inSession(session, func(_ procfs.Proc, s procfs.ProcStat) {
		total += time.Duration(int(s.UTime+s.STime)+s.CUTime+s.CSTime) * tick
	})
	return total, err
}

// sessionMemory is the memory of all processes of a session. What they share is counted once (Pss, proc(5)), as
// otherwise a server of many processes would be charged its program for each.
func sessionMemory(session int) (total int64, err error) {
	err = inSession(session, func(p procfs.Proc, _ procfs.ProcStat) {
		if rollup, err := p.ProcSMapsRollup(); err == nil { // else it has ended meanwhile
			total += int64(rollup.Pss)
		}
	})
	return total, err
}

// ownPeak is the most memory that this process has had. That of getrusage would be the peak of the process that forked
// it, if that was higher.
func ownPeak() (int64, error) {
	self, err := procfs.Self()
	if err != nil {
		return 0, err
	}
	status, err := self.NewStatus()
	return int64(status.VmHWM), err
}

// watchMemory looks at the memory of a session now and then, until it is asked for the peak.
func watchMemory(session int) (peak func() int64) {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		every := time.NewTicker(200 * time.Millisecond)
		defer every.Stop()
		most := int64(0)
		for stopped := false; !stopped; {
			select {
			case <-every.C:
			case <-stop:
				stopped = true
			}
			now, _ := sessionMemory(session) // a session that has ended has none
			most = max(most, now)
		}
		result <- most
	}()
	return func() int64 {
		close(stop)
		return <-result
	}
}
