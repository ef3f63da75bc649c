package delivery

import (
	"bytes"
	"cmp"
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-message/textproto"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// Require-Recipient-Valid-Since: mail that is for the owner a mailbox had at a certain time,
// such as a way to a new password, and for no later one (RFC 7293). The client says the time
// with RCPT; where a hop on the way could not, it stands in the header.

const sinceField = "Require-Recipient-Valid-Since"

func isSinceField(name []byte) bool { return bytes.EqualFold(name, []byte(sinceField)) }

// A since is what one field says.
type since struct {
	to   address.Address
	time time.Time
}

// sinceFields understands the fields of a header, and passes over those that make no sense.
//
//	rrvs = "Require-Recipient-Valid-Since:" addr-spec ";" date-time CRLF
func sinceFields(header textproto.Header) []since {
	var all []since
	for _, text := range header.Values(sinceField) {
		semicolon := strings.LastIndexByte(text, ';')
		if semicolon < 0 {
			continue
		}
		to, err := address.Parse(strings.TrimSpace(text[:semicolon]))
		if err != nil {
			continue
		}
		if date, err := mail.ParseDate(strings.TrimSpace(text[semicolon+1:])); err == nil {
			all = append(all, since{to, date})
		}
	}
	return all
}

// refuseByHeader refuses those mailboxes of recipients that had another owner when the header's
// author knew it. A time that came with RCPT counts instead (RFC 7293 §5.2).
func (t *transaction) refuseByHeader(header textproto.Header) {
	fields := sinceFields(header)
	if len(fields) == 0 {
		return
	}
	resolver := t.agent.Router.Resolver
	meant := map[directory.Key][]*recipient{}
	for i := range t.recipients {
		r := &t.recipients[i]
		if key, err := resolver.Key(r.to); err == nil && r.since.IsZero() {
			meant[key] = append(meant[key], r)
		}
	}
	for _, f := range fields {
		key, err := resolver.Key(f.to)
		if err != nil {
			continue // another system's recipient
		}
		for _, r := range meant[key] {
			for i := range r.parts {
				p := &r.parts[i]
				p.refused = cmp.Or(p.refused, route.RefuseOwner(p.action.For().Account, r.to, f.time))
			}
		}
	}
}
