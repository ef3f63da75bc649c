package quota

import (
	"runtime"
	"slices"
	"sync"
	"testing"
)

// Copies that find maildirsize busy are written together, by one of them, and none returns before.
func TestWriteTogether(t *testing.T) {
	const copies = 10
	b := new(balance)
	b.reserve(Usage{100 * (1 + copies), 1 + copies})
	busy, goOn := make(chan struct{}), make(chan struct{})
	var written []Usage
	var wg sync.WaitGroup
	wg.Go(func() {
		b.write(Usage{100, 1}, func(all Usage) {
			close(busy)
			<-goOn
			written = append(written, all)
		})
	})
	<-busy
	for range copies {
		wg.Go(func() { b.write(Usage{100, 1}, func(all Usage) { written = append(written, all) }) })
	}
	for waiting := int64(0); waiting < copies; runtime.Gosched() {
		b.mu.Lock()
		waiting = b.unwritten.Messages
		b.mu.Unlock()
	}
	close(goOn)
	wg.Wait()
	if want := []Usage{{100, 1}, {100 * copies, copies}}; !slices.Equal(written, want) || b.reserved != (Usage{}) {
		t.Errorf("written %+v, want %+v; %+v is reserved", written, want, b.reserved)
	}
}
