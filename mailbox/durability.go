package mailbox

import "fmt"

// A Durability says what a Store does to the disk before it reports success.
type Durability int

const (
	// Group syncs every copy, many at once, and shares the syncs of a directory.
	Group Durability = iota
	// Each syncs one copy after the other on each file system and shares nothing.
	Each
	// None leaves it to the kernel: a power cut loses mail that was reported as stored.
	None
)

// String returns the name the configuration uses.
func (d Durability) String() string {
	switch d {
	case Group:
		return "group"
	case Each:
		return "each"
	case None:
		return "none"
	}
	return fmt.Sprintf("Durability(%d)", int(d))
}
