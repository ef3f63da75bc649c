package trace

import "sync"

const (
	// ahead is how many lines a watcher may lag.
	ahead = 1024
	// A session whose address is not known yet is kept: its last heldLines lines, for at most
	// heldSessions sessions.
	heldLines    = 60
	heldSessions = 256
)

// A Watcher gets the lines of the sessions that its filter is about.
type Watcher struct {
	hub   *Hub
	of    Filter
	lines chan Line
	stop  sync.Once

	// Below: Hub.mu is held.
	followed map[string]struct{} // sessions
	held     map[string][]Line   // lines of sessions of which it is not known yet
	dropped  int64
}

func newWatcher(h *Hub, of Filter) *Watcher {
	return &Watcher{hub: h, of: of, lines: make(chan Line, ahead), followed: make(map[string]struct{}),
		held: make(map[string][]Line)}
}

// Lines is where they come. It is closed when the watching ends.
func (w *Watcher) Lines() <-chan Line { return w.lines }

// Stop ends the watching.
func (w *Watcher) Stop() {
	w.stop.Do(func() {
		w.hub.mu.Lock()
		defer w.hub.mu.Unlock()
		w.hub.remove(w)
	})
}

// take takes a line: on to the reader, or aside until the address of its session is known.
func (w *Watcher) take(l Line) {
	if _, ok := w.followed[l.Session]; ok || w.of.isPeer(l.Peer) {
		w.send(l)
		return
	}
	if w.of.peerOnly() {
		return
	}
	before, known := w.held[l.Session]
	if !known && len(w.held) >= heldSessions {
		for some := range w.held { // any: what it costs is the beginning of a dialogue
			delete(w.held, some)
			break
		}
	}
	if len(before) >= heldLines {
		before = append(before[:0], before[1:]...)
	}
	w.held[l.Session] = append(before, l)
}

// follow shows a session from now on, and what is held of it.
func (w *Watcher) follow(session string) {
	if len(w.followed) >= heldSessions {
		return
	}
	w.followed[session] = struct{}{}
	for _, l := range w.held[session] {
		w.send(l)
	}
	delete(w.held, session)
}

// forget ends what is kept of a session.
func (w *Watcher) forget(session string) {
	delete(w.followed, session)
	delete(w.held, session)
}

// send hands a line to the reader, if there is room.
func (w *Watcher) send(l Line) {
	l.Dropped = w.dropped
	select {
	case w.lines <- l:
		w.dropped = 0
	default:
		w.dropped++
	}
}
