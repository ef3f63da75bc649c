package outbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An Entry has the facts of one report: one recipient has a message.
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
}

// version is that of the file's format. A file of another version is set aside.
const version = 1

// A line is the first of a file; the header of the message follows.
type line struct {
	Version     int       `json:"v"`
	Kind        string    `json:"kind"` // "report"
	Transaction string    `json:"transaction"`
	Sender      string    `json:"sender"`
	EnvelopeID  string    `json:"envid,omitempty"`
	Type        string    `json:"orcpt_type,omitempty"`
	Original    string    `json:"orcpt,omitempty"`
	Final       string    `json:"final"`
	Arrived     time.Time `json:"arrived"`
	Cut         bool      `json:"cut,omitempty"`
	Octets      int       `json:"octets"` // of the header: a file that was cut off is found out
}

func (e Entry) encode() ([]byte, error) {
	first, err := json.Marshal(line{
		Version: version, Kind: "report", Transaction: e.Transaction, Sender: e.Sender, EnvelopeID: e.EnvelopeID,
		Type: e.Original.Type, Original: e.Original.Address, Final: e.Final, Arrived: e.Arrived, Cut: e.Cut,
		Octets: len(e.Header),
	})
	if err != nil {
		return nil, fmt.Errorf("write entry: %w", err)
	}
	return append(append(first, '\n'), e.Header...), nil
}

// errDamaged is a file that is none of ours, or not whole.
var errDamaged = errors.New("damaged entry")

func decode(content []byte) (Entry, error) {
	first, header, _ := bytes.Cut(content, []byte("\n"))
	var l line
	if err := json.Unmarshal(first, &l); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	switch {
	case l.Version != version || l.Kind != "report":
		return Entry{}, fmt.Errorf("%w: version %d, kind %q", errDamaged, l.Version, l.Kind)
	case l.Octets != len(header):
		return Entry{}, fmt.Errorf("%w: %d octets of header, where it says %d", errDamaged, len(header), l.Octets)
	}
	return Entry{
		Transaction: l.Transaction, Sender: l.Sender, EnvelopeID: l.EnvelopeID,
		Original: address.Original{Type: l.Type, Address: l.Original}, Final: l.Final, Arrived: l.Arrived,
		Header: header, Cut: l.Cut,
	}, nil
}
