// Package trace shows dialogues between clients and the server while they go on, to those who ask
// for those of one address or peer. Content and secrets are not in them. A session never
// waits for a watcher: what does not fit is dropped, and counted.
package trace

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

const (
	// maxWatchers is how many may watch at once.
	maxWatchers = 4
	// maxText bounds one line, in octets before they are escaped.
	maxText = 600
)

// ErrTooMany says that others watch already.
var ErrTooMany = errors.New("too many traces at once")

// A Line is one line of a dialogue.
type Line struct {
	At      time.Time `json:"at"`
	Session string    `json:"session"`
	Peer    string    `json:"peer"`
	// From is "C" for the client, "S" for the server, and "*" for what is said about them.
	From string `json:"from"`
	Text string `json:"text"`
	// Dropped is how many lines before this one were lost, because they came too fast.
	Dropped int64 `json:"dropped,omitempty"`
}

// A Hub hands lines from sessions to those who watch. Its methods are hooks; without a watcher
// they do nothing. The zero value is ready.
type Hub struct {
	watching atomic.Int32

	mu       sync.Mutex
	watchers map[*Watcher]struct{}
	closed   bool
}

// Watch begins to show the dialogues that of asks for, until Stop.
func (h *Hub) Watch(of Filter) (*Watcher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.watchers) >= maxWatchers {
		return nil, ErrTooMany
	}
	w := newWatcher(h, of)
	if h.watchers == nil {
		h.watchers = make(map[*Watcher]struct{})
	}
	h.watchers[w] = struct{}{}
	h.watching.Add(1)
	return w, nil
}

// Close ends all watching.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for w := range h.watchers {
		h.remove(w)
	}
}

// remove ends one; h.mu is held.
func (h *Hub) remove(w *Watcher) {
	if _, there := h.watchers[w]; there {
		delete(h.watchers, w)
		h.watching.Add(-1)
		close(w.lines)
	}
}

// SessionBegan is lmtp.Hooks.Begin.
func (h *Hub) SessionBegan(s *lmtp.Session) {
	h.each(func(w *Watcher) { w.take(line(s, "*", "session begins, "+s.Protocol.String())) })
}

// SessionEnded is lmtp.Hooks.End.
func (h *Hub) SessionEnded(s *lmtp.Session) {
	h.each(func(w *Watcher) {
		w.take(line(s, "*", "session ends"))
		w.forget(s.ID)
	})
}

// Command is lmtp.Hooks.Command.
func (h *Hub) Command(s *lmtp.Session, verb, args string) {
	h.each(func(w *Watcher) {
		if w.of.names(verb, args) {
			w.follow(s.ID)
		}
		w.take(said(s, "C", strings.TrimSpace(verb+" "+args)))
	})
}

// Reply is lmtp.Hooks.Reply.
func (h *Hub) Reply(s *lmtp.Session, _ string, r lmtp.Reply) {
	h.each(func(w *Watcher) {
		prefix, enhanced := strconv.Itoa(r.Code), ""
		if r.Enhanced != "" {
			enhanced = r.Enhanced + " "
		}
		lines := strings.Split(r.Text, "\n")
		for i, text := range lines {
			after := "-"
			if i == len(lines)-1 {
				after = " "
			}
			w.take(said(s, "S", prefix+after+enhanced+text))
		}
	})
}

// Content is lmtp.Hooks.Content.
func (h *Hub) Content(s *lmtp.Session, octets int64) {
	h.each(func(w *Watcher) { w.take(line(s, "C", "("+strconv.FormatInt(octets, 10)+" octets of content)")) })
}

// Outcome is delivery.Hooks.Outcome. It shows which mailbox an address leads to.
func (h *Hub) Outcome(o delivery.Outcome) {
	h.each(func(w *Watcher) {
		if o.Mailbox != "" && w.of.is(o.Mailbox) {
			w.follow(o.Session.ID)
		}
		w.take(line(o.Session, "*", address.Cut(outcomeText(o), maxText)))
	})
}

func outcomeText(o delivery.Outcome) string {
	var b strings.Builder
	b.WriteString("to " + o.To.Log())
	if o.Mailbox != "" {
		b.WriteString(", mailbox " + o.Mailbox)
	}
	if o.Err == nil {
		b.WriteString(": delivered")
	} else {
		b.WriteString(": rule " + lmtp.RuleOf(o.Err) + ": " + o.Err.Error())
	}
	if o.Took > 0 {
		b.WriteString(", after " + o.Took.Round(10*time.Microsecond).String())
	}
	return b.String()
}

// each calls do for all watchers. Mostly there are none, and this is all that it costs.
func (h *Hub) each(do func(*Watcher)) {
	if h.watching.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		do(w)
	}
}

// said is a line of what a peer said.
func said(s *lmtp.Session, from, octets string) Line {
	return line(s, from, address.Escape(address.Cut(octets, maxText)))
}

// line makes a line that is safe in a terminal of a text of ours.
func line(s *lmtp.Session, from, text string) Line {
	return Line{At: time.Now(), Session: s.ID, Peer: s.PeerName(), From: from, Text: address.Readable(text)}
}
