package mailbox

import "time"

// Hooks are told how long the steps of a delivery took, for those who measure. One that is nil
// costs nothing. The others are called from many deliveries at once, and those wait for them: they
// must return at once.
type Hooks struct {
	// Staged is called when a copy was written from memory into tmp/, or could not be. Content too
	// large for memory is written while it comes, and not told of.
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
}

// timed takes a step, and tells hook of it.
func timed(hook func(time.Duration, error), step func() error) error {
	if hook == nil {
		return step()
	}
	begun := time.Now()
	err := step()
	hook(time.Since(begun), err)
	return err
}

// begin tells of copies that set out, and gives what is to be told of each outcome.
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
