package config

import (
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// A Room is what the kernel lets this process have; 0 where it sets no limit.
type Room struct {
	Descriptors int // RLIMIT_NOFILE
	Threads     int // RLIMIT_NPROC and pids.max, less what others have of it
	Memory      int // octets, of the control group
}

// Room asks the kernel what a server with this configuration may have.
func (c *Config) Room() Room {
	uid, _, set, err := c.Store.RunAs()
	if !set || err != nil {
		uid = os.Geteuid()
	}
	root := os.DirFS("/")
	r := Room{Descriptors: resource(unix.RLIMIT_NOFILE), Memory: cgroupMemory(root)}
	r.tasks(cgroupTasks(root))
	if most := resource(unix.RLIMIT_NPROC); uid != 0 && most > 0 { // root is exempt (setrlimit(2))
		r.tasks(max(most-tasksOf(root, uid), 1))
	}
	return r
}

// tasks bounds the threads, unless n is 0.
func (r *Room) tasks(n int) {
	if n > 0 {
		r.Threads = leastOf(r.Threads, n)
	}
}

// resource is a soft limit; 0 for none.
func resource(which int) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(which, &limit); err != nil || limit.Cur > 1<<31 {
		return 0
	}
	return int(limit.Cur)
}

// cgroupTasks is how many more tasks this process's control group may have, or one above it; 0 for any number.
func cgroupTasks(root fs.FS) (least int) {
	for group := range controlGroups(root, "pids") {
		most, err := numberIn(root, path.Join(group, "pids.max"))
		if err != nil { // "max" is no number
			continue
		}
		if current, err := numberIn(root, path.Join(group, "pids.current")); err == nil {
			least = leastOf(least, max(most-current, 1))
		}
	}
	return least
}

// cgroupMemory is how many octets the control group may have, or one above it; 0 for any number.
func cgroupMemory(root fs.FS) (least int) {
	for group := range controlGroups(root, "memory") {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} { // of the second version, and of the first
			// A limit of the first version that was not set is near the largest number.
			if most, err := numberIn(root, path.Join(group, name)); err == nil && most < 1<<50 {
				least = leastOf(least, max(most, 1))
			}
		}
	}
	return least
}

// leastOf returns the less of two limits, of which 0 is none.
func leastOf(a, b int) int {
	if a == 0 || b < a {
		return b
	}
	return a
}

// controlGroups goes through the directories of a controller for this process, upwards. There are two versions of them
// (cgroups(7)).
func controlGroups(root fs.FS, controller string) iter.Seq[string] {
	return func(yield func(string) bool) {
		groups, err := fs.ReadFile(root, "proc/self/cgroup")
		if err != nil {
			return
		}
		for line := range strings.Lines(string(groups)) {
			field := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if len(field) < 3 || field[1] != "" && field[1] != controller {
				continue
			}
			mount := path.Join("sys/fs/cgroup", field[1])
			for group := path.Join("/", field[2]); ; group = path.Dir(group) {
				if !yield(mount + group) {
					return
				}
				if group == "/" {
					break
				}
			}
		}
	}
}

func numberIn(root fs.FS, file string) (int, error) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// tasksOf counts the threads of a user, of which RLIMIT_NPROC has the most.
func tasksOf(root fs.FS, uid int) (n int) {
	processes, err := fs.Glob(root, "proc/[0-9]*/status")
	if err != nil {
		return 0
	}
	mine := strconv.Itoa(uid)
	for _, process := range processes {
		status, err := fs.ReadFile(root, process)
		if err != nil {
			continue // it has ended
		}
		fields := map[string][]string{}
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(line, ":")
			fields[name] = strings.Fields(value)
		}
		if ids, threads := fields["Uid"], fields["Threads"]; len(ids) > 0 && ids[0] == mine && len(threads) == 1 {
			count, _ := strconv.Atoi(threads[0]) // the kernel's
			n += count
		}
	}
	return n
}

// ownDescriptors are for listeners, directories of accounts, and who asks by the admin listener; less where there are
// few.
const ownDescriptors = 128

// maxSyncs is how many syncs on one file system there are use for: mailbox.Options.Parallel.
const maxSyncs = 64

// Fit returns the limits that there is room for. Of the descriptors half are for connections, and the others for what
// deliveries open: taken by connections alone, they would leave none to deliver with. Half of these, two for each, are
// for the copies of large aliases, which are open until all can be published. Of the threads a quarter is for
// connections, each of which may be within a system call, and another for syncs; where the kernel grants no more, Go's
// runtime ends the program.
func (r Room) Fit(l Limits) Limits {
	if n := r.Descriptors; n > 0 {
		half := max((n-min(ownDescriptors, n/4))/2, 1)
		l.Connections, l.Together = min(l.Connections, half), max(half/4, 1)
	}
	if n := r.Threads; n > 0 {
		l.Connections, l.Syncs = min(l.Connections, max(n/4, 1)), min(maxSyncs, max(n/4, 1))
	}
	return l
}

// check warns where limits are met before those of the configuration.
func (r Room) check(l Limits) error {
	fit := r.Fit(l)
	var met []string
	if fit.Connections < l.Connections {
		met = append(met, fmt.Sprintf("%d connections are taken", fit.Connections))
	}
	if fit.Syncs > 0 && fit.Syncs < maxSyncs {
		met = append(met, fmt.Sprintf("%d syncs are under way at once", fit.Syncs))
	}
	if fit.Together > 0 && fit.Together < l.AliasTargets {
		met = append(met, fmt.Sprintf("aliases for more than %d mailboxes are deferred", fit.Together))
	}
	if met == nil {
		return nil
	}
	text := fmt.Sprintf("this process may have %s: %s", r, strings.Join(met, ", "))
	return hint.Warning(text, "give it more, LimitNOFILE=, LimitNPROC= and TasksMax= in its unit, or ulimit -n and -u; "+
		"or write a lower limits.connections or limits.alias_targets")
}

func (r Room) String() string {
	number := func(n int, what string) string {
		if n == 0 {
			return "any number of " + what
		}
		return fmt.Sprintf("%d %s", n, what)
	}
	return number(r.Descriptors, "descriptors") + " and " + number(r.Threads, "threads")
}
