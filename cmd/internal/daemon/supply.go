package daemon

import (
	"math"
	"net"
	"runtime/debug"
	"runtime/metrics"
	"syscall"

	"github.com/doorstep-mail/doorstep/config"
)

// A supply is something that connections use up: when a tenth of it is left the peers with most get no more of it, and
// at its end no peer does, so that the deliveries under way have what they need.
type supply struct {
	name  string
	among *crowd // those who use it
	used  int
	limit int // 0 for none
}

// isOut reports whether nothing is left.
func (s supply) isOut() bool { return s.limit > 0 && s.used >= s.limit }

// isLow reports whether a tenth is left, or less.
func (s supply) isLow() bool { return s.limit > 0 && s.used >= s.limit-s.limit/10 }

// descriptorsFor is how many of the descriptors may be in use when a connection is taken. The others are for the
// deliveries under way.
func descriptorsFor(r config.Room) int { return r.Descriptors - r.Descriptors/8 }

// descriptorOf is the number of the descriptor of a connection: the kernel takes the lowest that is free (open(2)), so
// that at least as many are in use. With a PROXY header it is that of the connection to the proxy. It is 0 where
// there is none.
func descriptorOf(nc net.Conn) (number int) {
	if proxied, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = proxied.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { number = int(fd) })
	}
	if err != nil {
		return 0 // it is closed already
	}
	return number
}

// memoryFor is how many octets may be in use when a connection or a message is taken; 0 for any number. Go's garbage
// collector keeps the heap below GOMEMLIMIT as long as it can, and works the harder for it from two thirds on, with
// heapGrowth.
func memoryFor() int {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 0
	}
	return int(limit / 4 * 3)
}

// useMemory keeps the heap below what a control group may have, as a container's, unless the administrator set
// GOMEMLIMIT. A quarter is for what is not of the heap, and for the kernel's part.
func useMemory(granted int) {
	if granted > 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(int64(granted) / 4 * 3)
	}
}

// memoryInUse is how many octets the garbage collector found in use when it last looked, and those of stacks: what it
// cannot free.
func memoryInUse() int {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	used := uint64(0)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			used += s.Value.Uint64()
		}
	}
	return int(used)
}
