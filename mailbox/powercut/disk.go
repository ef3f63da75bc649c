package powercut

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// unitSize is what a disk writes whole or not at all. Smaller units tear ext4's superblock, which
// has a checksum over more than a sector of 512 octets.
const unitSize = 4096

type unit [unitSize]byte

// A Disk is a block device in memory with a volatile write cache. It is safe for concurrent use.
type Disk struct {
	size int64

	mu      sync.Mutex
	durable map[int64]*unit // by number; a missing one is zero, and none is written to again
	cache   map[int64]*unit // written and not flushed

	cutIn int // operations left until the planned cut, 0 for none planned
	keep  float64
	rng   *rand.Rand
	dead  chan struct{} // closed by the cut

	refuse    func(p []byte) bool
	refused   int
	flushTime time.Duration
}

// NewDisk returns an empty disk of that many octets.
func NewDisk(size int64) *Disk {
	return &Disk{size: size, durable: map[int64]*unit{}, cache: map[int64]*unit{}, dead: make(chan struct{})}
}

// ReadAt fills p.
func (d *Disk) ReadAt(p []byte, off int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isDead() {
		return syscall.EIO
	}
	for len(p) > 0 {
		n, from := off/unitSize, off%unitSize
		piece := p[:min(int64(len(p)), unitSize-from)]
		u := d.cache[n]
		if u == nil {
			u = d.durable[n]
		}
		if u == nil {
			clear(piece)
		} else {
			copy(piece, u[from:])
		}
		p, off = p[len(piece):], off+int64(len(piece))
	}
	return 0
}

// WriteAt writes p into the cache.
func (d *Disk) WriteAt(p []byte, off int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.countDown(); d.isDead() {
		return syscall.EIO
	}
	if d.refuse != nil && d.refuse(p) {
		d.refused++
		return syscall.EIO
	}
	for len(p) > 0 {
		n, from := off/unitSize, off%unitSize
		u := d.cache[n]
		if u == nil {
			u = new(unit)
			if old := d.durable[n]; old != nil {
				*u = *old
			}
			d.cache[n] = u
		}
		written := copy(u[from:], p)
		p, off = p[written:], off+int64(written)
	}
	return 0
}

// Flush makes durable what has been written. It takes the time that SlowFlush says, and the cut
// may come meanwhile.
func (d *Disk) Flush() syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.countDown(); d.isDead() {
		return syscall.EIO
	}
	if d.flushTime > 0 {
		d.mu.Unlock()
		time.Sleep(d.flushTime)
		d.mu.Lock()
		if d.isDead() {
			return syscall.EIO
		}
	}
	maps.Copy(d.durable, d.cache)
	clear(d.cache)
	return 0
}

// SlowFlush lets each flush take so long.
func (d *Disk) SlowFlush(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flushTime = t
}

// Refuse answers with EIO each write whose octets match says yes to; nil ends that. It returns
// how many have been refused so far.
func (d *Disk) Refuse(match func(p []byte) bool) (refused int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = match
	return d.refused
}

// CutIn plans the cut: the n-th write or flush from now on finds the power gone. Of the units in
// the cache by then each reaches the disk with probability keep, in a way that depends on seed.
func (d *Disk) CutIn(n int, keep float64, seed uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutIn, d.keep, d.rng = n, keep, rand.New(rand.NewPCG(seed, 0))
}

// Cut cuts the power now; of the cache nothing is left.
func (d *Disk) Cut() {
	d.CutIn(1, 0, 0)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countDown()
}

// Dead is closed by the cut. From then on every operation fails with EIO.
func (d *Disk) Dead() <-chan struct{} { return d.dead }

// Survivor is what is found when the power is back: a disk of its own. It may only be asked for
// after the cut.
func (d *Disk) Survivor() *Disk {
	<-d.dead
	d.mu.Lock()
	defer d.mu.Unlock()
	s := NewDisk(d.size)
	maps.Copy(s.durable, d.durable)
	return s
}

func (d *Disk) isDead() bool {
	select {
	case <-d.dead:
		return true
	default:
		return false
	}
}

// countDown brings the planned cut nearer.
func (d *Disk) countDown() {
	if d.cutIn == 0 || d.isDead() {
		return
	}
	if d.cutIn--; d.cutIn > 0 {
		return
	}
	for _, n := range slices.Sorted(maps.Keys(d.cache)) { // in order, for the seed to tell all
		if d.rng.Float64() < d.keep {
			d.durable[n] = d.cache[n]
		}
	}
	clear(d.cache)
	close(d.dead)
}
