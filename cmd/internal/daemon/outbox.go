package daemon

import (
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An OutboxReport is what the server knows of what waits, beside what is on the disk.
type OutboxReport struct {
	Tries []outbox.Try `json:"tries"`
}

// tries answers the order outbox.
func (o *outgoing) tries() (r OutboxReport) {
	if box := o.outbox(); box != nil {
		r.Tries = box.Tries()
	}
	return r
}

// A FlushReport is what came of the order to flush.
type FlushReport struct {
	Entries int    `json:"entries"` // that wait, and are tried now
	Error   string `json:"error,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// String is what people read; the error is apart.
func (r FlushReport) String() string {
	switch {
	case r.Error != "":
		return ""
	case r.Entries == 0:
		return "nothing waits\n"
	}
	return cli.Count(r.Entries, "report") + " will be tried now\n"
}

// flush has all that waits tried now.
func (o *outgoing) flush() FlushReport {
	box := o.outbox()
	if box == nil {
		return FlushReport{Error: "the running server has no outbox", Hint: "write [submission], and doorstep reload"}
	}
	entries := box.State().Entries
	box.Flush()
	o.log.Info("outbox flushed", "entries", entries)
	return FlushReport{Entries: entries}
}

// waiting is how the outbox is; nil where there is none.
func (o *outgoing) waiting() *outbox.State {
	box := o.outbox()
	if box == nil {
		return nil
	}
	s := box.State()
	return &s
}

// status is what the status page shows of the outbox; nil where there is none.
func (o *outgoing) status() *status.Outbox {
	s := o.waiting()
	if s == nil {
		return nil
	}
	return &status.Outbox{Entries: s.Entries, Octets: s.Octets, Oldest: s.Oldest, Offered: s.Offers,
		Why: address.Readable(s.Detail)}
}

// stateStatus is what it shows of what is remembered; nil where nothing is.
func stateStatus(c config.State, of *state.DB) *status.State {
	if of == nil {
		return nil
	}
	s := &status.State{Entries: of.Entries(), Limit: c.Entries}
	err := of.Trouble()
	if s.Keeps = err == nil; err != nil {
		s.Why = address.Readable(err.Error())
	}
	return s
}
