package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/trace"
)

// beat is how often a trace that has nothing to show says so: a reader that has gone is noticed.
const beat = 15 * time.Second

// watch shows live dialogues, a JSON object on each line; an empty one means that there is nothing
// new. It never holds up a session: Watcher drops what comes too fast.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	if !s.Local && s.Token == "" {
		say(w, http.StatusForbidden, "traces need a Unix socket or a token: every user of this machine could read them here")
		return
	}
	filter, err := trace.Parse(r.FormValue("of"))
	if err != nil {
		say(w, http.StatusBadRequest, err.Error())
		return
	}
	watcher, err := s.Trace.Watch(filter)
	if err != nil {
		say(w, http.StatusTooManyRequests, err.Error())
		return
	}
	defer watcher.Stop()
	out := &lines{w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out.write(struct{}{}) // the reader knows that it watches
	idle := time.NewTicker(beat)
	defer idle.Stop()
	for out.err == nil {
		select {
		case l, open := <-watcher.Lines():
			if !open {
				return
			}
			out.write(l)
		case <-idle.C:
			out.write(struct{}{})
		case <-r.Context().Done():
			return
		}
	}
}

// lines writes objects, each at once and within patience.
type lines struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (l *lines) write(x any) {
	if l.err = l.control.SetWriteDeadline(time.Now().Add(patience)); l.err != nil {
		return
	}
	if l.err = json.NewEncoder(l.w).Encode(x); l.err == nil {
		l.err = l.control.Flush()
	}
}
