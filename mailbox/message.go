package mailbox

// A Message is the content of one transaction on its way into one or more Maildirs.
// One goroutine uses it: Add…, Write…, then one of Commit, CommitAll and Abort.
type Message struct {
	store *Store
	files []*mailfile

	first    mailfile // most messages have one copy; this
	firstRef [1]*mailfile

	ends  lineEnder
	buf   []byte // content as on disk that is not in the carrier yet
	spill spill
	size  int64
	lost  error // why no copy can take the content
	ended bool

	shares shares

	dropped map[*mailfile]error // why these are not to be delivered
}

// finalOctets is the room in memory that the end of the content may need.
const finalOctets = 2

// NewMessage begins a message.
func (s *Store) NewMessage() *Message {
	return &Message{store: s, ends: lineEnder{crlf: s.opts.CRLF}, spill: spill{source: -1}}
}

// Add asks for a copy in the Maildir to, with header (this copy's trace fields, CRLF line
// ends) before the content, and returns the copy's number, counted from 0. What is wrong
// with it is reported by Commit. All Adds come before the first Write.
func (m *Message) Add(to Dest, header []byte) int {
	f := &m.first
	if len(m.files) > 0 {
		f = new(mailfile)
	} else {
		m.files = m.firstRef[:0]
	}
	*f = mailfile{msg: m, to: to, dir: noMaildir, fd: -1}
	ends := lineEnder{crlf: m.store.opts.CRLF}
	f.header = ends.finish(ends.put(make([]byte, 0, len(header)+finalOctets), header))
	f.sizes = ends.sizes
	m.files = append(m.files, f)
	return len(m.files) - 1
}

// Write takes content as sent, with CRLF line ends. It fails only when no copy can take
// the content any more; a copy that fails before that is reported by Commit.
func (m *Message) Write(p []byte) (int, error) {
	taken := 0
	for taken < len(p) {
		if m.lost != nil {
			return taken, m.lost
		}
		room := cap(m.buf) - len(m.buf) - finalOctets - 1 // put may bring one octet more
		if room <= 0 {
			m.lost = m.makeRoom()
			continue
		}
		piece := p[taken:min(len(p), taken+room)]
		m.buf = m.ends.put(m.buf, piece)
		m.size += int64(len(piece))
		taken += len(piece)
	}
	return taken, nil
}

// makeRoom takes a larger buffer or, when there is none, empties it into the carrier.
func (m *Message) makeRoom() error {
	switch cap(m.buf) {
	case 0:
		m.buf = m.store.buffers.getSmall()
	case smallBuffer:
		large := append(m.store.buffers.getLarge(), m.buf...)
		m.store.buffers.put(m.buf)
		m.buf = large
	default:
		return m.flush()
	}
	return nil
}

// finish ends the content. Its error is that no copy can take the content.
func (m *Message) finish() error {
	m.buf = m.ends.finish(m.buf)
	if m.lost == nil && m.spilled() {
		m.lost = m.flush()
	}
	return m.lost
}

// fail fails every copy that has not failed yet.
func (m *Message) fail(err error) {
	for _, f := range m.files {
		if f.err == nil {
			f.err = f.withdraw(err)
		}
	}
}

// Size is the number of octets written so far, as sent.
func (m *Message) Size() int64 { return m.size }

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

// IgnoreQuota lets a copy in, before Commit, whatever its mailbox holds. It is counted all the same.
func (m *Message) IgnoreQuota(copy int) { m.files[copy].ignoreQuota = true }

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

// Abort drops the message: nothing of it stays. It does nothing after Commit, CommitAll or
// Abort.
func (m *Message) Abort() {
	if m.ended {
		return
	}
	m.fail(errEnded)
	m.release()
}

// release gives back what the message borrowed.
func (m *Message) release() {
	m.ended = true
	for _, f := range m.files {
		if f.shared {
			f.shared = false
			f.leave()
		}
	}
	m.spill.shut(m.store)
	m.store.buffers.put(m.buf)
	m.buf = nil
}
