package outbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An Entry has the facts of one report: one recipient has a message, or, with Failures, some of the mailboxes that the
// recipient stands for do not.
type Entry struct {
	// Transaction is the one by which the message came. Reports of one transaction are sent as one.
	Transaction string
	// Sender is the reverse-path, which gets the report.
	Sender string
	// EnvelopeID is what the sender called the message.
	EnvelopeID string
	// Original is the recipient that the sender named.
	Original address.Original
	// Final is the forward-path that was accepted.
	Final string
	// Arrived is when the message came.
	Arrived time.Time
	// Header is the header of the message, or its beginning if Cut is set.
	Header []byte
	Cut    bool
	// RequireTLS says that the message was not to travel without TLS.
	RequireTLS bool
	// Failures are why mailboxes do not have the message.
	Failures []Failure
}

// A Failure is why one mailbox does not have a message, or several that refuse it alike.
type Failure struct {
	// Status is the enhanced status code (RFC 3463), and Reply the whole reply, in printable ASCII.
	Status string `json:"status"`
	Reply  string `json:"reply"`
}

// The versions of the file's format. A file of a later one, or of a kind that is not known, was written by a newer
// program, and is left to that: during an upgrade two of them are at work. An entry has the oldest version that can say
// it, so that a server which another one takes over from can read what that has published.
const (
	firstVersion   = 1
	failureVersion = 2 // the kind "failure" is new
)

// The kinds of entries.
const (
	reportKind  = "report"
	failureKind = "failure"
)

// A line is the first of a file; the header of the message follows.
type line struct {
	Version     int       `json:"v"`
	Kind        string    `json:"kind"`
	Transaction string    `json:"transaction"`
	Sender      string    `json:"sender"`
	EnvelopeID  string    `json:"envid,omitempty"`
	Type        string    `json:"orcpt_type,omitempty"`
	Original    string    `json:"orcpt,omitempty"`
	Final       string    `json:"final"`
	Arrived     time.Time `json:"arrived"`
	Cut         bool      `json:"cut,omitempty"`
	Octets      int       `json:"octets"` // of the header: a file that was cut off is found out
	Failures    []Failure `json:"failures,omitempty"`
	RequireTLS  bool      `json:"requiretls,omitempty"`
}

// group is the same for entries that may be sent as one: good news and bad are two messages, as their subjects are.
func (e Entry) group() string { return fmt.Sprint(e.Transaction, len(e.Failures) > 0) }

// Kind says in a word what is reported: "report" is success, and "failure" that mailboxes were left out.
func (e Entry) Kind() string {
	if len(e.Failures) > 0 {
		return failureKind
	}
	return reportKind
}

func (e Entry) encode() ([]byte, error) {
	version := firstVersion
	if len(e.Failures) > 0 {
		version = failureVersion
	}
	first, err := json.Marshal(line{
		Version: version, Kind: e.Kind(), Transaction: e.Transaction, Sender: e.Sender, EnvelopeID: e.EnvelopeID,
		Type: e.Original.Type, Original: e.Original.Address, Final: e.Final, Arrived: e.Arrived, Cut: e.Cut,
		Octets: len(e.Header), Failures: e.Failures, RequireTLS: e.RequireTLS,
	})
	if err != nil {
		return nil, fmt.Errorf("write entry: %w", err)
	}
	return append(append(first, '\n'), e.Header...), nil
}

var (
	errDamaged = errors.New("damaged entry") // it is none of ours, or not whole
	errNewer   = errors.New("entry of a newer program")
)

func decode(content []byte) (Entry, error) {
	first, header, _ := bytes.Cut(content, []byte("\n"))
	var l line
	if err := json.Unmarshal(first, &l); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	switch {
	case l.Kind == reportKind && l.Version == firstVersion && len(l.Failures) == 0:
	case l.Kind == failureKind && l.Version == failureVersion && len(l.Failures) > 0:
	case l.Version > failureVersion, l.Version > 0 && l.Kind != reportKind && l.Kind != failureKind:
		return Entry{}, fmt.Errorf("%w: version %d, kind %q", errNewer, l.Version, l.Kind)
	default:
		return Entry{}, fmt.Errorf("%w: version %d, kind %q, %d failures", errDamaged, l.Version, l.Kind, len(l.Failures))
	}
	if l.Octets != len(header) {
		return Entry{}, fmt.Errorf("%w: %d octets of header, where it says %d", errDamaged, len(header), l.Octets)
	}
	return Entry{
		Transaction: l.Transaction, Sender: l.Sender, EnvelopeID: l.EnvelopeID,
		Original: address.Original{Type: l.Type, Address: l.Original}, Final: l.Final, Arrived: l.Arrived,
		Header: header, Cut: l.Cut, Failures: l.Failures, RequireTLS: l.RequireTLS,
	}, nil
}
