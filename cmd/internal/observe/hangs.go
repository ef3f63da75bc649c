package observe

import (
	"log/slog"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

// Hangs returns what is called when a file system or a directory does not answer any more, and when it does again. It
// logs that also where nothing else is observed.
func (w *Observers) Hangs(log *slog.Logger) func(breaker.State) {
	return func(s breaker.State) {
		if w != nil {
			w.Metrics.Unresponsive(s.Name, s.Open)
		}
		if !s.Open {
			log.Info("answers again", "what", s.Name, "running", s.Running)
			return
		}
		log.Error("does not answer, mail that needs it is deferred at once", "what", s.Name, "running", s.Running,
			"oldest", s.Oldest)
	}
}
