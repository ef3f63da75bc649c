package durable

import "fmt"

// A Mode says what is done to the disk before a copy is reported as stored.
type Mode int

const (
	// Group syncs every copy, many at once, and shares the syncs of a directory.
	Group Mode = iota
	// Each syncs one copy after the other on each file system and shares nothing.
	Each
	// None leaves it to the kernel: a power cut loses mail that was reported as stored.
	None
)

// modes says what the modes differ in.
var modes = []struct {
	name   string
	syncs  bool // files and directories
	shares bool // the sync of a directory among all who wait for it
	alone  bool // one step at a time on each file system
}{
	// Many copies in flight, so that the file system's journal merges their commits. There is no timer: a copy
	// alone pays for one file sync and one directory sync.
	Group: {name: "group", syncs: true, shares: true},
	Each:  {name: "each", syncs: true, alone: true},
	// The same order without the syncs. A reader still sees whole messages only.
	None: {name: "none"},
}

func (m Mode) known() bool { return 0 <= m && int(m) < len(modes) }

// String returns the name the configuration uses.
func (m Mode) String() string {
	if !m.known() {
		return fmt.Sprintf("Durability(%d)", int(m))
	}
	return modes[m].name
}
