package svtest

import (
	"context"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// A stored message is one in a folder, or one that was sent.
type stored struct {
	content  []byte
	flags    []string
	from, to string // of one that was sent
}

// A store has the folders of one account, and what was sent.
type store struct {
	folders map[string][]stored
	sent    []stored
	items   map[string]string // of the environment
}

func newStore() *store {
	return &store{folders: map[string][]stored{"INBOX": nil}, items: map[string]string{
		"name": "Pigeonhole Sieve", "location": "MS", "version": "", "vnd.dovecot.default-mailbox": "INBOX",
		"vnd.dovecot.username": "user",
	}}
}

// folderKey is the name by which a folder is found: INBOX has no case (RFC 3501 §5.1).
func folderKey(name string) string {
	const inbox = "INBOX"
	if name == "" {
		return inbox
	}
	if n := len(inbox); len(name) >= n && strings.EqualFold(name[:n], inbox) && (len(name) == n || name[n] == '.') {
		return inbox + name[n:]
	}
	return name
}

func (s *store) create(name string) { s.folders[folderKey(name)] = nil }

// HasFolder implements sieve.Host.
func (s *store) HasFolder(_ context.Context, name string) bool {
	_, ok := s.folders[folderKey(name)]
	return ok
}

// SpecialUse implements sieve.Host.
func (s *store) SpecialUse(context.Context, string) (string, bool) { return "", false }

// Environment implements sieve.Host.
func (s *store) Environment(item string) (string, bool) {
	value, ok := s.items[item]
	return value, ok
}

// execute does what a result wants. Copies have the flag that Dovecot's detection of attachments sets in the
// suite.
func (s *suite) execute(r *sieve.Run) bool {
	result := s.pending(r)
	in, ok := r.Input(), result.Err == nil
	for _, action := range result.Actions {
		switch a := action.(type) {
		case *sieve.Store:
			key := folderKey(a.Folder)
			if !s.store.HasFolder(context.Background(), key) && !a.Create {
				s.problems = append(s.problems, "failed to store into mailbox '"+a.Folder+"': it does not exist")
				ok = false
				continue
			}
			flags := append(slices.Clone(a.Flags), "$HasNoAttachment")
			s.store.folders[key] = append(s.store.folders[key], stored{content: s.content(in, a.Header), flags: flags})
		case *sieve.Redirect:
			s.store.sent = append(s.store.sent, stored{
				content: s.content(in, a.Header), from: in.Envelope.From, to: a.To,
			})
		}
	}
	if !ok { // what failed is kept as it came
		s.store.folders["INBOX"] = append(s.store.folders["INBOX"], stored{content: s.content(in, nil)})
	}
	return ok
}

// content is the message with the header that a script gave it.
func (s *suite) content(in *sieve.Input, header []*message.Field) []byte {
	content, err := in.Message.Content(header)
	if err != nil {
		s.fail(err.Error())
	}
	return content
}
