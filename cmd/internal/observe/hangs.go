package observe

import (
	"log/slog"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

// Hangs returns what is called with a file system or a directory at first, when it does not answer any more, and when
// it does again. It logs that also where nothing else is observed.
func (w *Observers) Hangs(log *slog.Logger) func(breaker.State) {
	return func(s breaker.State) {
		if w != nil {
			w.Metrics.Unresponsive(s.Name, s.Open)
		}
		switch {
		case s.Open:
			log.Error("does not answer, mail that needs it is deferred at once", "what", s.Name, "running", s.Running,
				"oldest", s.Oldest)
		case !s.Since.IsZero():
			log.Info("answers again", "what", s.Name, "running", s.Running, "after", time.Since(s.Since))
		}
	}
}
