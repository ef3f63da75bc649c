package guard

import "sync"

// A Group waits for goroutines as a sync.WaitGroup does. A panic in one of them is raised again by Wait,
// once, in the goroutine that waits, where it can be recovered. The zero value is ready.
type Group struct {
	running sync.WaitGroup

	mu    sync.Mutex
	first error
}

// Go calls do in a goroutine of its own.
func (g *Group) Go(do func()) {
	g.running.Go(func() {
		err := Call(func() error { do(); return nil })
		if err == nil {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.first == nil {
			g.first = err
		}
	})
}

// Wait returns when all have returned.
func (g *Group) Wait() {
	g.running.Wait()
	g.mu.Lock()
	first := g.first
	g.first = nil
	g.mu.Unlock()
	if first != nil {
		panic(first)
	}
}
