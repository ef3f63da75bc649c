package mailbox

import (
	"slices"

	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
)

// A Copy is one file that a message becomes: where it goes, and what stands before the content.
type Copy struct {
	To Dest
	// Header are the trace fields of this copy, with CRLF line ends.
	Header []byte
	// IgnoreQuota lets the copy in whatever its mailbox holds. It is counted all the same.
	IgnoreQuota bool
	// Beyond is how much more than its quota the mailbox may hold with this copy.
	Beyond Quota
}

// A Message is a Content on its way into Maildirs. Its copies are counted from 0, in the order in which
// Deliver named them. One goroutine calls one of Commit and CommitSets.
type Message struct {
	content    *Content
	deliveries []*delivery

	first    delivery // most messages have one copy; this
	firstRef [1]*delivery

	ended  bool
	shares durable.Shares

	// observe is called with the outcome of each copy, done by whom it concerns; both from a commit on.
	observe func(err error)
	done    func(copy int, err error)
}

func (m *Message) store() *Store { return m.content.store }

// add adds copies.
func (m *Message) add(copies []Copy) {
	for _, c := range copies {
		d := &m.first
		if len(m.deliveries) > 0 {
			d = new(delivery)
		} else {
			m.deliveries = m.firstRef[:0]
		}
		ends := lineEnder{crlf: m.store().opts.CRLF}
		header := ends.finish(ends.put(make([]byte, 0, len(c.Header)+finalOctets), c.Header))
		d.msg, d.number, d.to, d.ignoreQuota = m, len(m.deliveries), c.To, c.IgnoreQuota
		d.beyond = c.Beyond
		d.File = m.store().disk.File(durable.Spec{
			To: &d.to, Owner: c.To.Owner, Header: header, HeaderSizes: ends.sizes, Content: (*fileContent)(m.content),
		})
		m.deliveries = append(m.deliveries, d)
	}
}

// fail fails every copy that has not failed yet.
func (m *Message) fail(err error) {
	for _, d := range m.deliveries {
		if d.err == nil {
			d.err = d.drop(err)
		}
	}
}

// Name is the file name of a copy in new/, once it was reported stored; before that, and
// for a copy that failed, it is "".
func (m *Message) Name(copy int) string { return m.deliveries[copy].Name() }

// Filled returns what the mailbox of a copy held before and after it, once Commit has reported it
// stored: with all copies that were on their way, so that two copies never share a step. Both are
// zero where the mailbox has no quota.
func (m *Message) Filled(copy int) (before, after Usage) {
	return m.deliveries[copy].room.Filled()
}

// abort drops what was not committed: nothing of it stays.
func (m *Message) abort() {
	if m.ended {
		return
	}
	m.ended = true
	m.fail(errEnded)
	m.release()
}

// release closes what the copies shared.
func (m *Message) release() {
	for _, d := range m.deliveries {
		if !d.stranded {
			d.Return()
		}
	}
}

// isTogether reports whether all copies are of the same owner, and on one file system, which answers.
func (m *Message) isTogether() bool {
	first := m.deliveries[0]
	at := first.fileSystem()
	for _, d := range m.deliveries {
		if d.to.Owner != first.to.Owner || d.fileSystem() != at {
			return false
		}
	}
	return at.Err() == nil
}

// makesFolder reports whether a folder has to be made for a copy. That is done when the message is whole and has room.
func (m *Message) makesFolder() bool {
	return slices.ContainsFunc(m.deliveries, (*delivery).makesFolder)
}
