package report

import (
	"bytes"
	"errors"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// ErrNoUTF8 is a report to an internationalized address, for a server that does not offer SMTPUTF8.
var ErrNoUTF8 = errors.New("the report needs SMTPUTF8, which the server does not offer")

// A Delivered has the facts of a report: a message is in the mailboxes of recipients.
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
	// Recipients are those who have the message, of those who were to be reported of.
	Recipients []Recipient
}

// A Recipient is one forward-path that has the message.
type Recipient struct {
	Original address.Original // that the sender named, if it is known
	Final    address.Address  // that the server accepted
}

// An Offer is what the server that takes the report offers.
type Offer struct{ SMTPUTF8, DSN bool }

// Message returns the report, from the null reverse-path (RFC 3464 §2), at a time and with a Message-ID, to be sent to
// a server. It asks for no report of its own (RFC 3461 §6.1).
func (d *Delivered) Message(o Offer, now time.Time, id string) (client.Message, error) {
	r := rendering{Delivered: d, now: now, id: id}
	to := client.Recipient{Address: d.Sender.String()}
	m := client.Message{}
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
