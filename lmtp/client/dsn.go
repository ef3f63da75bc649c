package client

import (
	"fmt"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// Parameters of delivery status notifications (RFC 3461). They are sent to a server that offers DSN; a message that has
// one is an ErrNotOffered for any other.

// A Recipient is one RCPT of a message.
type Recipient struct {
	// Address is the forward-path without angle brackets.
	Address string

	// Notify says of what the sender wants a report: "NEVER", or any of "SUCCESS", "FAILURE" and "DELAY" with commas
	// between them (RFC 3461 §4.1). "" leaves it to the server.
	Notify string

	// Original is the recipient that the sender named, if that is another or nothing else may be known of it.
	Original address.Original
}

// To returns recipients without parameters.
func To(paths ...string) []Recipient {
	list := make([]Recipient, len(paths))
	for i, path := range paths {
		list[i].Address = path
	}
	return list
}

// maxEnvelopeID is how long an ENVID every server takes, in octets as sent (RFC 3461 §5.4).
const maxEnvelopeID = 100

// dsnParameters are those of MAIL.
func (m Message) dsnParameters() (string, error) {
	var parameters string
	switch ret := strings.ToUpper(m.Return); ret {
	case "":
	case "FULL", "HDRS":
		parameters = " RET=" + ret
	default:
		return "", fmt.Errorf("what to return, %q, is neither FULL nor HDRS", m.Return)
	}
	if m.EnvelopeID == "" {
		return parameters, nil
	}
	id := address.EncodeXtext(m.EnvelopeID)
	switch {
	case strings.ContainsFunc(m.EnvelopeID, func(r rune) bool { return r < ' ' || r > '~' }): // RFC 3461 §4.4
		return "", fmt.Errorf("envelope identifier %s is not printable ASCII", excerpt(m.EnvelopeID))
	case len(id) > maxEnvelopeID:
		return "", fmt.Errorf("envelope identifier of %d octets as sent, of which servers take %d", len(id), maxEnvelopeID)
	}
	return parameters + " ENVID=" + id, nil
}

// dsnParameters are those of RCPT.
func (r Recipient) dsnParameters() (string, error) {
	var parameters string
	if r.Notify != "" {
		notify, err := parseNotify(r.Notify)
		if err != nil {
			return "", err
		}
		parameters = " NOTIFY=" + notify
	}
	if r.Original.IsZero() {
		return parameters, nil
	}
	original, err := r.Original.ORCPT()
	if err != nil {
		return "", err
	}
	return parameters + " ORCPT=" + original, nil
}

// parseNotify checks the value of NOTIFY: NEVER stands alone, and each of the others comes once.
func parseNotify(value string) (string, error) {
	value = strings.ToUpper(value)
	if value == "NEVER" {
		return value, nil
	}
	words := strings.Split(value, ",")
	for i, word := range words {
		switch {
		case word == "NEVER":
			return "", fmt.Errorf("NEVER is beside other words in notify %s", excerpt(value))
		case word != "SUCCESS" && word != "FAILURE" && word != "DELAY":
			return "", fmt.Errorf("notify %s is neither NEVER nor of SUCCESS, FAILURE and DELAY", excerpt(value))
		case slices.Contains(words[:i], word):
			return "", fmt.Errorf("%s comes twice in notify %s", word, excerpt(value))
		}
	}
	return value, nil
}
