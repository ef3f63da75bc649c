// Package sender makes messages of what waits in the outbox, and hands them to an MTA.
package sender

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/report"
	"github.com/doorstep-mail/doorstep/delivery/submit"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A Sender sends what waits in an outbox.
type Sender struct {
	// Server takes the mail.
	Server *submit.Server
	// Hostname is the name of the server that reports, and From the content of the From field.
	Hostname, From string
}

// Send hands over one report on recipients of one message. It is an outbox.Send.
func (s *Sender) Send(ctx context.Context, entries []outbox.Entry) outbox.Verdict {
	delivered, err := s.Report(entries)
	if err != nil {
		return outbox.Verdict{Err: err, Reason: "damaged"}
	}
	var international bool
	outcomes, err := s.Server.Submit(ctx, func(offered client.Extensions) (client.Message, error) {
		offer := report.Offer{SMTPUTF8: offered.Has("SMTPUTF8"), DSN: offered.Has("DSN"),
			RequireTLS: offered.Has("REQUIRETLS")}
		m, err := delivered.Message(offer, time.Now(), s.messageID(entries))
		international = m.UTF8 == client.UTF8Always
		return m, err
	})
	if err != nil {
		return verdictOn(err)
	}
	o := outcomes[0] // a report goes to the sender alone
	return outbox.Verdict{
		Err: o.Err, Temporary: o.Temporary, Uncertain: o.Uncertain, Reply: o.Reply, UTF8: international,
	}
}

// verdictOn is what an error of the whole means.
func verdictOn(err error) outbox.Verdict {
	var cannot *submit.ComposeError
	switch {
	case errors.Is(err, report.ErrNoUTF8), errors.As(err, &cannot) && errors.Is(err, client.ErrNotOffered):
		return outbox.Verdict{Err: err, Reason: "no_smtputf8"}
	case errors.As(err, &cannot):
		return outbox.Verdict{Err: err, Reason: "damaged"}
	case errors.Is(err, submit.ErrBusy):
		return outbox.Verdict{Err: err, Temporary: true}
	}
	return outbox.Verdict{Err: err, Temporary: true, Down: true, Barred: errors.As(err, new(*submit.BarredError))}
}

// Message is that report as it is sent to a server with these offers.
func (s *Sender) Message(entries []outbox.Entry, o report.Offer) (client.Message, error) {
	delivered, err := s.Report(entries)
	if err != nil {
		return client.Message{}, err
	}
	return delivered.Message(o, time.Now(), s.messageID(entries))
}

// Report is the report on entries of one message. Those that say the same are one (RFC 3461 §5.2.8 has them merged).
func (s *Sender) Report(entries []outbox.Entry) (*report.Delivered, error) {
	first := entries[0]
	paths := address.Parser{UTF8: true, TrailingDot: true}
	from, err := paths.ReversePath(first.Sender)
	if err == nil && from.IsNull() {
		err = errors.New("it has none") // RFC 3461 §5.2: never to <>
	}
	if err != nil {
		return nil, fmt.Errorf("reverse-path of the entry: %w", err)
	}
	d := &report.Delivered{
		Hostname: s.Hostname, From: s.From, Sender: from, EnvelopeID: first.EnvelopeID, Arrived: first.Arrived,
		Header: first.Header, Cut: first.Cut, RequireTLS: first.RequireTLS,
	}
	for _, e := range entries {
		final, err := paths.ForwardPath(e.Final)
		if err != nil {
			return nil, fmt.Errorf("recipient of the entry: %w", err)
		}
		r := report.Recipient{Original: e.Original, Final: final}
		for _, f := range e.Failures {
			r.Failures = append(r.Failures, report.Failure(f))
		}
		if !slices.ContainsFunc(d.Recipients, r.Equal) {
			d.Recipients = append(d.Recipients, r)
		}
	}
	return d, nil
}

// messageID is the same each time that a report is sent: a reader can tell when it has come twice (RFC 1047).
func (s *Sender) messageID(entries []outbox.Entry) string {
	h := sha256.New()
	for _, e := range entries {
		fmt.Fprintf(h, "%q %q %q %d %v\n", e.Transaction, e.Original, e.Final, e.Arrived.UnixNano(),
			e.Failures) // a Hash never fails
	}
	return hex.EncodeToString(h.Sum(nil)[:16]) + "@" + s.Hostname
}
