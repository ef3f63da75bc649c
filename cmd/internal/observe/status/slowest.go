package status

import (
	"cmp"
	"slices"
	"time"
)

const (
	// slowShown is how many of the slowest mailboxes a snapshot has.
	slowShown = 10
	// slowKept is how many are kept to choose from.
	slowKept = 64
)

// A SlowMailbox is one whose deliveries took long.
type SlowMailbox struct {
	Mailbox string        `json:"mailbox"`
	Worst   time.Duration `json:"worst_ns"`
	At      time.Time     `json:"at"` // of the worst
	// Mean and Deliveries count from when the mailbox was first among the slowest.
	Mean       time.Duration `json:"mean_ns"`
	Deliveries int64         `json:"deliveries"`

	total time.Duration
}

// slowest keeps the mailboxes with the slowest delivery of the last hour.
type slowest struct{ kept []SlowMailbox }

// note counts a delivery. A mailbox that is not kept takes the place of the least slow, if it
// is slower.
func (s *slowest) note(mailbox string, took time.Duration, now time.Time) {
	if mailbox == "" {
		return
	}
	least := -1
	for i := range s.kept {
		m := &s.kept[i]
		if m.Mailbox == mailbox {
			m.note(took, now)
			return
		}
		if least < 0 || s.worst(i, now) < s.worst(least, now) {
			least = i
		}
	}
	fresh := SlowMailbox{Mailbox: mailbox}
	fresh.note(took, now)
	switch {
	case len(s.kept) < slowKept:
		s.kept = append(s.kept, fresh)
	case took > s.worst(least, now):
		s.kept[least] = fresh
	}
}

// worst is the time that a mailbox is kept for, 0 when that is too long ago.
func (s *slowest) worst(i int, now time.Time) time.Duration {
	if now.Sub(s.kept[i].At) > Span {
		return 0
	}
	return s.kept[i].Worst
}

func (m *SlowMailbox) note(took time.Duration, now time.Time) {
	m.Deliveries++
	m.total += took
	m.Mean = m.total / time.Duration(m.Deliveries)
	if took >= m.Worst || now.Sub(m.At) > Span {
		m.Worst, m.At = took, now
	}
}

// top returns the slowest, the slowest first.
func (s *slowest) top(now time.Time) []SlowMailbox {
	list := slices.DeleteFunc(slices.Clone(s.kept), func(m SlowMailbox) bool { return now.Sub(m.At) > Span })
	slices.SortFunc(list, func(a, b SlowMailbox) int { return cmp.Compare(b.Worst, a.Worst) })
	list = list[:min(len(list), slowShown)]
	for i := range list {
		list[i].Mailbox = shown(list[i].Mailbox)
	}
	return list
}
