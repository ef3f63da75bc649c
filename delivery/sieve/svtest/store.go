package svtest

import (
	"context"
	"io"
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
		"vnd.dovecot.username": "user", "host": "mail.example.com",
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
	in, ok, piped := r.Input(), result.Err == nil, false
	for _, action := range result.Actions {
		switch a := action.(type) {
		case *sieve.Store:
			ok = s.file(a, s.content(in, a.Header, a.Body)) && ok
		case *sieve.Pipe:
			done := s.pipe(in, a)
			piped, ok = piped || done && !a.Copy, ok && (done || a.Try)
		case *sieve.Report:
			m, why, err := reply.Report(a, in, s.replies(), s.sender("sieve_report_from", in, postmaster))
			if err != nil {
				s.fail(err.Error())
			} else if why == "" {
				ok = s.send(m, nil) && ok
			}
		case *sieve.Redirect:
			s.redirect(in, a)
		case *sieve.Notify:
			for _, m := range reply.Notify(a, in, s.replies(), s.notifySender(in, a)) {
				ok = s.send(&m, a.Copy) && ok
			}
		case *sieve.Vacation:
			if m, why := reply.Vacation(a, in, s.replies()); why == "" {
				ok = s.send(m, a.Copy) && ok
			}
		case *sieve.Reject:
			if m, why := reply.Reject(a, in, s.replies()); why == "" {
				ok = s.send(m, nil) && ok
			}
		}
	}
	if a := result.Otherwise; a != nil && !piped {
		ok = s.file(a, s.content(in, a.Header, a.Body)) && ok
	}
	for _, m := range result.Marks {
		s.store.seen[[2]string{m.Handle, m.ID}] = ok
	}
	if !ok { // what failed is kept as it came
		s.store.folders["INBOX"] = append(s.store.folders["INBOX"], stored{content: s.content(in, nil, nil)})
	}
	return ok
}

// file puts a content into a folder.
func (s *suite) file(a *sieve.Store, content []byte) bool {
	key := folderKey(a.Folder)
	problem := ""
	switch {
	case strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.Contains(key, "//"):
		problem = "invalid mailbox name"
	case !s.store.HasFolder(context.Background(), key) && !a.Create:
		problem = "it does not exist"
	}
	if problem != "" {
		s.problems = append(s.problems, "failed to store into mailbox '"+a.Folder+"': "+problem)
		return false
	}
	flags := append(slices.Clone(a.Flags), "$HasNoAttachment")
	s.store.folders[key] = append(s.store.folders[key], stored{content: content, flags: flags})
	return true
}

// send sends a mail, and files a copy of it.
func (s *suite) send(m *reply.Mail, to *sieve.Store) bool {
	s.store.sent = append(s.store.sent, stored{content: m.Content, from: m.From, to: m.To})
	return to == nil || s.file(to, m.Content)
}

// content is the message with the header and the body that a script gave it.
func (s *suite) content(in *sieve.Input, header []*message.Field, body *io.SectionReader) []byte {
	content, err := in.Message.Content(header, body)
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
		s.store.sent = append(s.store.sent, stored{
			content: s.content(in, header, a.Body), from: s.redirectSender(in), to: a.To,
		})
	}
}
