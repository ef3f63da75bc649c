package mailbox

// NewMessage begins a message whose copies are named before its content. Use NewContent.
func (s *Store) NewMessage() *Message {
	c := s.NewContent()
	c.message.closes = true
	return &c.message
}

// Add asks for a copy in the Maildir to, and returns its number.
func (m *Message) Add(to Dest, header []byte) int {
	m.add([]Copy{{To: to, Header: header}})
	return len(m.deliveries) - 1
}

// Write takes content.
func (m *Message) Write(p []byte) (int, error) { return m.content.Write(p) }

// Size is the number of octets written so far, as sent.
func (m *Message) Size() int64 { return m.content.Size() }

// IgnoreQuota lets a copy in, before Commit, whatever its mailbox holds. It is counted all the same.
func (m *Message) IgnoreQuota(copy int) { m.deliveries[copy].ignoreQuota = true }

// Abort drops the message: nothing of it stays. It does nothing after Commit, CommitAll or Abort.
func (m *Message) Abort() { m.content.Close() }
