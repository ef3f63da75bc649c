package config

import (
	"testing"
	"testing/fstest"
)

// TestTasks: the least of what a control group and those above it leave, in both versions, counts.
func TestTasks(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  int
	}{
		"no /proc": {fstest.MapFS{}, 0},
		"second version": {fstest.MapFS{
			"proc/self/cgroup":                                         file("0::/system.slice/doorstep.service\n"),
			"sys/fs/cgroup/system.slice/pids.max":                      file("max\n"),
			"sys/fs/cgroup/system.slice/pids.current":                  file("90\n"),
			"sys/fs/cgroup/system.slice/doorstep.service/pids.max":     file("100\n"),
			"sys/fs/cgroup/system.slice/doorstep.service/pids.current": file("8\n"),
		}, 92},
		"above": {fstest.MapFS{
			"proc/self/cgroup":               file("0::/a/b\n"),
			"sys/fs/cgroup/a/pids.max":       file("50\n"),
			"sys/fs/cgroup/a/pids.current":   file("30\n"),
			"sys/fs/cgroup/a/b/pids.max":     file("100\n"),
			"sys/fs/cgroup/a/b/pids.current": file("8\n"),
		}, 20},
		"of a container, and full": {fstest.MapFS{
			"proc/self/cgroup":           file("0::/\n"),
			"sys/fs/cgroup/pids.max":     file("50\n"),
			"sys/fs/cgroup/pids.current": file("50\n"),
		}, 1},
		"first version": {fstest.MapFS{
			"proc/self/cgroup":                  file("9:name=systemd:/\n8:pids:/x\n0::/\n"),
			"sys/fs/cgroup/pids/x/pids.max":     file("60\n"),
			"sys/fs/cgroup/pids/x/pids.current": file("10\n"),
		}, 50},
		"none": {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/pids.max": file("max\n")}, 0},
	} {
		if got := cgroupTasks(c.files); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	processes := fstest.MapFS{
		"proc/1/status":  file("Name:\ta\nUid:\t0\t0\t0\t0\nThreads:\t5\n"),
		"proc/20/status": file("Name:\ta\nUid:\t8\t8\t8\t8\nThreads:\t7\n"),
		"proc/21/status": file("Name:\ta\nUid:\t8\t0\t0\t0\nThreads:\t2\n"),
	}
	if got := tasksOf(processes, 8); got != 9 {
		t.Errorf("%d tasks, want 9", got)
	}
}

// TestMemory: the least of what a control group and those above it may have, in both versions.
func TestMemory(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  int
	}{
		"no /proc": {fstest.MapFS{}, 0},
		"second version, and less above": {fstest.MapFS{
			"proc/self/cgroup":                                       file("0::/system.slice/doorstep.service\n"),
			"sys/fs/cgroup/system.slice/memory.max":                  file("1000\n"),
			"sys/fs/cgroup/system.slice/doorstep.service/memory.max": file("2147483648\n"),
		}, 1000},
		"of a container": {fstest.MapFS{
			"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("268435456\n"),
		}, 256 << 20},
		"first version": {fstest.MapFS{
			"proc/self/cgroup": file("9:name=systemd:/\n8:memory:/x\n"),
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": file("5000\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   file("9223372036854771712\n"),
		}, 5000},
		"any": {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 0},
	} {
		if got := cgroupMemory(c.files); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestFit: whatever there is, deliveries have a part of it.
func TestFit(t *testing.T) {
	for _, c := range []struct {
		room               Room
		connections, syncs int
		together           int
		warned             bool
	}{
		{Room{}, 1000, 0, 0, false},
		{Room{Descriptors: 65536, Threads: 8192}, 1000, 64, 8176, false},
		{Room{Descriptors: 1024}, 448, 0, 112, true},
		{Room{Descriptors: 64}, 24, 0, 6, true},
		{Room{Descriptors: 3}, 1, 0, 1, true},
		{Room{Descriptors: 65536, Threads: 48}, 12, 12, 8176, true},
		{Room{Descriptors: 4096}, 1000, 0, 496, true},
		{Room{Threads: 1}, 1, 1, 0, true},
	} {
		l := Limits{Connections: 1000, AliasTargets: 1000}
		got := c.room.Fit(l)
		if got.Connections != c.connections || got.Syncs != c.syncs || got.Together != c.together {
			t.Errorf("%s: %d connections, %d syncs, %d copies together, want %d, %d, %d", c.room, got.Connections, got.Syncs,
				got.Together, c.connections, c.syncs, c.together)
		}
		if err := c.room.check(l); (err != nil) != c.warned {
			t.Errorf("%s: %v", c.room, err)
		}
	}
}
