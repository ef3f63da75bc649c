package mailbox

import (
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
)

// Hooks learn how long the steps of a delivery took, for those who measure. One that is nil
// costs nothing. The others are called from many deliveries at once, and those wait for them: they
// must return at once.
type Hooks struct {
	// Staged is called when a copy was written from memory into tmp/, or could not be. Content too
	// large for memory is written while it comes, without a call.
	Staged func(took time.Duration, err error)
	// Synced is called after each sync of a file.
	Synced func(took time.Duration, err error)
	// DirectorySynced is called after each sync of a directory, with the number of copies that
	// shared it.
	DirectorySynced func(took time.Duration, copies int, err error)
	// Begun is called when copies begin their way from memory to durable, and Ended for each
	// when it has its outcome.
	Begun func(copies int)
	Ended func(took time.Duration, err error)
	// FileSystem is called at the first use of a file system, when it does not answer any more, and when it does again.
	FileSystem func(FileSystemState)
}

// steps are those of single steps.
func (h *Hooks) steps() durable.Hooks {
	return durable.Hooks{Staged: h.Staged, Synced: h.Synced, DirectorySynced: h.DirectorySynced}
}

// begin reports that copies have started, and returns the function to call with each outcome.
func (h *Hooks) begin(copies int) (ended func(error)) {
	if h.Begun != nil {
		h.Begun(copies)
	}
	if h.Ended == nil {
		return func(error) {}
	}
	begun := time.Now()
	return func(err error) { h.Ended(time.Since(begun), err) }
}
