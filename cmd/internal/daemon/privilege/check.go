package privilege

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoProc says that nothing can be read of threads.
var ErrNoProc = errors.New("/proc is not mounted")

// MountProc is what to do about it, in a chroot for one.
const MountProc = "mount /proc here: mount -t proc proc /proc"

// check reads what the kernel says of every thread, and wants t.
func (t Target) check() error {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return err
	}
	if len(threads) == 0 {
		return ErrNoProc
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err == nil {
			err = t.checkStatus(string(status))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", thread, err)
		}
	}
	return nil
}

// checkStatus checks the status of a thread (proc_pid_status(5)).
func (t Target) checkStatus(status string) error {
	fields := map[string][]string{}
	for line := range strings.Lines(status) {
		name, rest, _ := strings.Cut(line, ":")
		fields[name] = strings.Fields(rest)
	}
	uid, gid := strconv.Itoa(t.UID), strconv.Itoa(t.GID)
	kept := fmt.Sprintf("%016x", t.capabilities())
	none := fmt.Sprintf("%016x", 0)
	for name, want := range map[string][]string{
		"Uid": {uid, uid, uid, uid}, "Gid": {gid, gid, gid, gid}, // real, effective, saved, for files
		"CapPrm": {kept}, "CapEff": {kept}, "CapInh": {none}, "CapAmb": {none},
		"NoNewPrivs": {"1"}, "Seccomp": {"2"},
	} {
		if !slices.Equal(fields[name], want) {
			return fmt.Errorf("%s is %q, want %q", name, fields[name], want)
		}
	}
	var groups []int
	for _, field := range fields["Groups"] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return err
		}
		groups = append(groups, n)
	}
	if !sameGroups(groups, t.Groups) {
		return fmt.Errorf("groups are %v, want %v", groups, t.Groups)
	}
	return nil
}
