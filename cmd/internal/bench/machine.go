package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

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
	CreateUS   float64 `json:"create_us"`
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`
}

// describeMachine looks at the machine and at the disk below dir.
func describeMachine(dir string) (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), LoadBefore: loadAverage()}
	m.CPU = strings.TrimSpace(field("/proc/cpuinfo", "model name"))
	total, _, _ := strings.Cut(strings.TrimSpace(field("/proc/meminfo", "MemTotal")), " ")
	kilo, _ := strconv.ParseInt(total, 10, 64)
	m.Memory = kilo * kib
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return m, err
	}
	m.Kernel = unix.ByteSliceToString(name.Release[:])
	m.FileSystem, m.Device = mounted(dir)
	flush, err := flushTime(dir)
	if err != nil {
		return m, err
	}
	created, err := createTime(dir)
	m.FlushMS, m.CreateUS = milliseconds(flush), 1000*milliseconds(created)
	return m, err
}

// field finds a "name : value" line.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(key) == name {
			return value
		}
	}
	return "unknown"
}

func loadAverage() float64 {
	line, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(line), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

// mounted tells what is mounted where dir is (proc(5), mountinfo): the line whose device is
// that of dir.
func mounted(dir string) (fileSystem, device string) {
	var st unix.Stat_t
	lines, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || unix.Stat(dir, &st) != nil {
		return "unknown", "unknown"
	}
	want := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	for line := range strings.Lines(string(lines)) {
		mount, super, ok := strings.Cut(line, " - ")
		fields, backing := strings.Fields(mount), strings.Fields(super)
		if ok && len(fields) > 5 && len(backing) > 2 && fields[2] == want {
			return backing[0] + " (" + fields[5] + "," + backing[2] + ")", backing[1]
		}
	}
	return "unknown", want
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

// flushTime is the median of an fdatasync after a write of 4 KiB into a file whose blocks are
// there: what the disk itself takes.
func flushTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "flush")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4*kib)
	var took []time.Duration
	for i := range 201 {
		if _, err := f.WriteAt(block, 0); err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		if i > 0 { // the first allocates
			took = append(took, time.Since(begin))
		}
	}
	return percentile(took, 50), nil
}

// createTime is the median time of making a file. ext4 makes files many times more slowly for
// some minutes after many were removed near them: it looks for an inode that was not in use
// lately (fs/ext4/ialloc.c, recently_deleted).
func createTime(dir string) (time.Duration, error) {
	dir, err := os.MkdirTemp(dir, "create")
	if err != nil {
		return 0, err
	}
	var took []time.Duration
	for i := range 200 {
		begin := time.Now()
		fd, err := unix.Open(filepath.Join(dir, strconv.Itoa(i)), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC,
			0o600)
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
		_ = unix.Close(fd) // nothing was written
	}
	return percentile(took, 50), nil
}

// programVersions are those of all who take part.
func programVersions() map[string]string {
	v := map[string]string{
		"Go":       strings.TrimPrefix(runtime.Version(), "go"),
		"Doorstep": output("git", "describe", "--tags", "--always", "--dirty"),
		"Postfix":  strings.TrimPrefix(output("/usr/sbin/postconf", "-d", "mail_version"), "mail_version = "),
	}
	v["Dovecot"], _, _ = strings.Cut(output("/usr/sbin/dovecot", "--version"), " ")
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if strings.HasPrefix(module.Path, "github.com/emersion/go-smtp") ||
				strings.HasPrefix(module.Path, "github.com/emersion/go-maildir") {
				v[filepath.Base(module.Path)] = module.Version
			}
		}
	}
	return v
}

func output(program string, args ...string) string {
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
