package status

import (
	"fmt"
	"time"
)

// An Outbox is what waits to be handed to the MTA.
type Outbox struct {
	Entries int       `json:"entries"`
	Octets  int64     `json:"octets"`
	Oldest  time.Time `json:"oldest,omitzero"` // when the first of them was queued
	// Offered says that clients may ask for reports of success, and Why why not.
	Offered bool   `json:"offered"`
	Why     string `json:"why,omitempty"`
}

// Waiting says what waits.
func (o *Outbox) Waiting(now time.Time) string {
	switch o.Entries {
	case 0:
		return "no report waits"
	case 1:
		return fmt.Sprintf("1 report waits (%s), for %s", Size(o.Octets), Long(now.Sub(o.Oldest)))
	}
	return fmt.Sprintf("%d reports wait (%s), the oldest for %s", o.Entries, Size(o.Octets), Long(now.Sub(o.Oldest)))
}

// A State is what is remembered across restarts.
type State struct {
	Entries int64  `json:"entries"` // about
	Limit   int    `json:"limit"`
	Keeps   bool   `json:"keeps"`
	Why     string `json:"why,omitempty"` // it does not
}

// Kept says how much is remembered.
func (s *State) Kept() string { return fmt.Sprintf("%d of %d entries", s.Entries, s.Limit) }
