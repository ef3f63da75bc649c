package report

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// ErrNoUTF8 is a report to an internationalized address, for a server that does not offer SMTPUTF8.
var ErrNoUTF8 = errors.New("the report needs SMTPUTF8, which the server does not offer")

// A Delivered has the facts of a report: a message is in the mailboxes of recipients, of all that each stands for, or
// of some. Both are not in one report.
type Delivered struct {
	// Hostname is the name of the server that reports.
	Hostname string
	// From is the content of the From field: whom a person may ask, as "Mail Delivery System <postmaster@example.org>".
	From string
	// Sender is the reverse-path of the message, and gets the report. It is not null.
	Sender address.Address
	// EnvelopeID is what the sender called the message; "" for nothing.
	EnvelopeID string
	// Arrived is when the message came.
	Arrived time.Time
	// Header is the message's header as it came, without trace fields of our own. Its line ends may be of any kind.
	Header []byte
	// Cut is set where Header is only its beginning.
	Cut bool
	// RequireTLS says that the message was not to travel without TLS, which holds for the report too (RFC 8689 §5).
	RequireTLS bool
	// Recipients are those to be reported of: all have Failures, or none.
	Recipients []Recipient
}

// A Recipient is one forward-path that has the message, or, with Failures, one that stands for several mailboxes, of
// which some do not have it.
type Recipient struct {
	Original address.Original // that the sender named, if it is known
	Final    address.Address  // that the server accepted
	Failures []Failure
}

// Equal reports whether r and other say the same.
func (r Recipient) Equal(other Recipient) bool {
	return r.Original == other.Original && r.Final == other.Final && slices.Equal(r.Failures, other.Failures)
}

// A Failure is why one mailbox does not have the message, or several that refuse it alike. Whose they are is not said:
// the sender wrote to the alias, and who its members are may be confidential, as a forwarding address may be (RFC 3461
// §5.2.7.4). So the failure is one of the alias, which is where mail ends for the sender (§5.2.7.3). The report is the
// sender's, because the return path of an alias is not changed; a mailing list has its own (§5.2.7.1).
type Failure struct {
	Status string // the enhanced status code (RFC 3463)
	Reply  string // the whole reply: "550 5.2.1 mailbox is disabled"
}

// failed reports whether d is on recipients that stand for mailboxes which do not have the message.
func (d *Delivered) failed() bool { return len(d.Recipients) > 0 && len(d.Recipients[0].Failures) > 0 }

// An Offer is what the server that takes the report offers.
type Offer struct{ SMTPUTF8, DSN, RequireTLS bool }

// Message returns the report, from the null reverse-path (RFC 3464 §2), at a time and with a Message-ID, to be sent to
// a server. It asks for no report of its own (RFC 3461 §6.1).
func (d *Delivered) Message(o Offer, now time.Time, id string) (client.Message, error) {
	r := rendering{Delivered: d, now: now, id: id}
	to := client.Recipient{Address: d.Sender.String()}
	// Where the next server does not offer it the report is sent all the same (RFC 8689 §5).
	m := client.Message{RequireTLS: d.RequireTLS && o.RequireTLS}
	switch ascii, ok := d.Sender.Header(false); {
	case ok:
		r.to, to.Address = ascii, ascii
	case !o.SMTPUTF8:
		return client.Message{}, ErrNoUTF8
	default:
		r.to, r.international = d.Sender.String(), true
		m.Body, m.UTF8 = "8BITMIME", client.UTF8Always
	}
	if o.DSN {
		to.Notify = "NEVER"
	}
	m.To = []client.Recipient{to}
	content, err := r.render()
	if err != nil {
		return client.Message{}, err
	}
	m.Content, m.Size = bytes.NewReader(content), int64(len(content))
	return m, nil
}
