package svtest

import (
	"context"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/reply"
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
	seen    map[[2]string]bool
}

func newStore() *store {
	return &store{seen: map[[2]string]bool{}, folders: map[string][]stored{"INBOX": nil}, items: map[string]string{
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

// Seen implements sieve.Host.
func (s *store) Seen(_ context.Context, handle, id string) bool { return s.seen[[2]string{handle, id}] }

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
			s.redirect(in, a)
		case *sieve.Notify:
			for _, m := range reply.Notify(a, in, s.replies(), s.notifySender(in, a)) {
				s.store.sent = append(s.store.sent, stored{content: m.Content, from: m.From, to: m.To})
			}
		case *sieve.Vacation:
			if m, why := reply.Vacation(a, in, s.replies()); why == "" {
				s.store.sent = append(s.store.sent, stored{content: m.Content, from: m.From, to: m.To})
			}
		}
	}
	for _, m := range result.Marks {
		s.store.seen[[2]string{m.Handle, m.ID}] = ok
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

// redirect sends the message on, unless it goes in a circle.
func (s *suite) redirect(in *sieve.Input, a *sieve.Redirect) {
	header := a.Header
	if header == nil {
		header = in.Message.Header
	}
	account := []string{in.Envelope.To}
	if own := s.settings["sieve_user_email"]; own != "" {
		account = []string{own, in.Envelope.To}
	}
	if header, ok := reply.Redirected(header, account...); ok {
		s.store.sent = append(s.store.sent, stored{content: s.content(in, header), from: s.redirectSender(in), to: a.To})
	}
}
