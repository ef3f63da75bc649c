package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of the times in /proc: USER_HZ, which is 100 on every Linux there is.
const tick = 10 * time.Millisecond

// A procStat is what counts here of /proc/PID/stat (proc(5)).
type procStat struct {
	session int
	cpu     time.Duration // of the process and of its children that it has waited for
}

// parseStat reads the line; the second field, a name in brackets, may hold anything.
func parseStat(line string) (procStat, error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) < 15 {
		return procStat{}, fmt.Errorf("stat of a process: %q", line)
	}
	var s procStat
	var err error
	if s.session, err = strconv.Atoi(fields[3]); err != nil {
		return s, err
	}
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return s, err
		}
		s.cpu += time.Duration(ticks) * tick
	}
	return s, nil
}

// inSession calls see for each process of a session: each contender has one of its own.
func inSession(session int, see func(pid string, s procStat)) error {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return err
	}
	for _, path := range stats {
		line, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended meanwhile; its time is its parent's
		}
		if err != nil {
			return err
		}
		stat, err := parseStat(string(line))
		if err != nil {
			return err
		}
		if stat.session == session {
			see(filepath.Base(filepath.Dir(path)), stat)
		}
	}
	return nil
}

// sessionCPU is the processor time that all processes of a session have used.
func sessionCPU(session int) (total time.Duration, err error) {
	err = inSession(session, func(_ string, s procStat) { total += s.cpu })
	return total, err
}

// sessionMemory is the memory of all processes of a session: what they share is counted once
// (Pss, proc(5)), as else a server of many processes would be charged its program for each.
func sessionMemory(session int) (total int64, err error) {
	err = inSession(session, func(pid string, _ procStat) {
		rollup, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if err == nil { // else it has ended meanwhile
			total += parsePss(string(rollup))
		}
	})
	return total, err
}

// parsePss finds the line "Pss:  1234 kB".
func parsePss(rollup string) int64 { return kilobytes(rollup, "Pss:") }

// kilobytes finds a line of /proc that begins so, and gives octets.
func kilobytes(text, name string) int64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n * kib
		}
	}
	return 0
}

// ownPeak is the most memory that this process has had. That of getrusage would be the peak of
// the process that forked it, if that was higher.
func ownPeak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	return kilobytes(string(status), "VmHWM:"), err
}

// watchMemory looks at the memory of a session now and then, until it is asked for the peak.
func watchMemory(session int) (peak func() int64) {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		every := time.NewTicker(200 * time.Millisecond)
		defer every.Stop()
		most := int64(0)
		for {
			now, _ := sessionMemory(session) // a session that has ended has none
			most = max(most, now)
			select {
			case <-every.C:
			case <-stop:
				now, _ := sessionMemory(session)
				result <- max(most, now)
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-result
	}
}
