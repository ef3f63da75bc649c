package observe

import (
	"log/slog"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Lookups is called with each question to a backend and its answer; nil is not.
type Lookups func(backend string, took time.Duration, err error)

// Watch returns d with the observer called for each question. A panic of d is an error, and in the log: the answer may
// come from a cache all the same.
func (o Lookups) Watch(backend string, d directory.Directory, log *slog.Logger) directory.Directory {
	log = log.With("directory", backend)
	return directory.Watch(d, func(took time.Duration, err error) {
		guard.Report(log, "lookup", err)
		if o != nil {
			o(backend, took, err)
		}
	})
}
