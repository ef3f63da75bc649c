package mailbox

import (
	"context"
	"errors"
)

// A Message is the content of one transaction on its way into one or more Maildirs.
// One goroutine uses it: Add…, Write…, then one of Commit, CommitAll and Abort.
type Message struct {
	store  *Store
	copies []Dest
	size   int64
}

var errNotYet = errors.New("message is not stored")

// NewMessage begins a message.
func (s *Store) NewMessage() *Message { return &Message{store: s} }

// Add asks for a copy in the Maildir to, with header (this copy's trace fields, CRLF line
// ends) before the content, and returns the copy's number, counted from 0. What is wrong
// with it is reported by Commit. All Adds come before the first Write.
func (m *Message) Add(to Dest, header []byte) int {
	m.copies = append(m.copies, to)
	return len(m.copies) - 1
}

// Write takes content as sent, with CRLF line ends. It fails only when no copy can take
// the content any more; a copy that fails before that is reported by Commit.
func (m *Message) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	return len(p), nil
}

// Size is the number of octets written so far, as sent.
func (m *Message) Size() int64 { return m.size }

// Name is the file name of a committed copy.
func (m *Message) Name(copy int) string { return "" }

// Commit delivers each copy on its own and returns when all have their outcome. done is
// called exactly once for each copy, as soon as its outcome is known, possibly from several
// goroutines: nil when the copy is durable, else why nothing of it stays.
func (m *Message) Commit(ctx context.Context, done func(copy int, err error)) {
	for i := range m.copies {
		done(i, errNotYet)
	}
}

// CommitAll delivers all copies or none: after an error nothing of any stays.
func (m *Message) CommitAll(ctx context.Context) error { return errNotYet }

// Abort drops the message: nothing of it stays. It does nothing after Commit, CommitAll or
// Abort.
func (m *Message) Abort() {}
