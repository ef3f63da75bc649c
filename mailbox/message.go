package mailbox

// A Copy is one file that a message becomes: where it goes, and what stands before the content.
type Copy struct {
	To Dest
	// Header are the trace fields of this copy, with CRLF line ends.
	Header []byte
	// IgnoreQuota lets the copy in whatever its mailbox holds. It is counted all the same.
	IgnoreQuota bool
}

// A Message is a Content on its way into Maildirs. Its copies are counted from 0, in the order in which
// Deliver named them. One goroutine calls one of Commit and CommitAll.
type Message struct {
	content *Content
	files   []*mailfile

	first    mailfile // most messages have one copy; this
	firstRef [1]*mailfile

	ended   bool
	shares  shares
	dropped map[*mailfile]error // why these are not to be delivered

	closes bool // the content, when it has ended: it was made by NewMessage
}

func (m *Message) store() *Store { return m.content.store }

// add adds copies.
func (m *Message) add(copies []Copy) {
	for _, c := range copies {
		f := &m.first
		if len(m.files) > 0 {
			f = new(mailfile)
		} else {
			m.files = m.firstRef[:0]
		}
		*f = mailfile{msg: m, to: c.To, dir: noMaildir, fd: -1, ignoreQuota: c.IgnoreQuota}
		ends := lineEnder{crlf: m.store().opts.CRLF}
		f.header = ends.finish(ends.put(make([]byte, 0, len(c.Header)+finalOctets), c.Header))
		f.sizes = ends.sizes
		m.files = append(m.files, f)
	}
}

// fail fails every copy that has not failed yet.
func (m *Message) fail(err error) {
	for _, f := range m.files {
		if f.err == nil {
			f.err = f.withdraw(err)
		}
	}
}

// Name is the file name of a copy in new/, once Commit has reported it stored or CommitAll
// has returned nil; before that, and for a copy that failed, it is "".
func (m *Message) Name(copy int) string { return m.files[copy].name }

// Drop gives up one copy, before Commit, which then reports why for it. The others go on.
func (m *Message) Drop(copy int, why error) {
	if m.dropped == nil {
		m.dropped = make(map[*mailfile]error)
	}
	m.dropped[m.files[copy]] = why
}

// Filled tells what the mailbox of a copy held before and after it, once Commit has reported it
// stored: with all copies that were on their way, so that two copies never share a step. Both are
// zero where the mailbox has no quota.
func (m *Message) Filled(copy int) (before, after Usage) {
	c := m.files[copy].claim
	if c == nil {
		return Usage{}, Usage{}
	}
	return c.before, c.before.plus(c.size)
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

// release gives back what the copies borrowed from each other.
func (m *Message) release() {
	for _, f := range m.files {
		if f.shared {
			f.shared = false
			f.leave()
		}
	}
	if m.closes {
		m.content.Close()
	}
}
