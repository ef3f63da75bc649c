package metrics

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// What the protocol does.

func (m *Metrics) makeSessions() {
	m.sessions = m.counters("sessions_total", "Sessions that began, by protocol.", "protocol")
	m.open = m.gauges("sessions_open", "Sessions that are open, by protocol.", "protocol")
	replies := m.counters("replies_total",
		"Replies, by the verb that they answer and their code. CONNECT stands for the connection itself, UNKNOWN for what "+
			"is no command; content is answered by DATA or BDAT, over LMTP for each recipient.", "verb", "code")
	m.replies.make = func(k replyKey) prometheus.Counter { return replies.WithLabelValues(k.verb, strconv.Itoa(k.code)) }
	m.messages = m.counter("messages_total", "Messages whose content came whole.")
	m.received = m.counter("received_bytes_total", "Octets of their content, as sent.")
	for _, p := range []lmtp.Protocol{lmtp.LMTP, lmtp.ESMTP} {
		m.sessions.WithLabelValues(protocol(p))
		m.open.WithLabelValues(protocol(p))
	}
}

// A replyKey is a reply to a verb.
type replyKey struct {
	verb string
	code int
}

func protocol(p lmtp.Protocol) string { return strings.ToLower(p.String()) }

// SessionBegan is lmtp.Hooks.Begin.
func (m *Metrics) SessionBegan(s *lmtp.Session) {
	m.sessions.WithLabelValues(protocol(s.Protocol)).Inc()
	m.open.WithLabelValues(protocol(s.Protocol)).Inc()
}

// SessionEnded is lmtp.Hooks.End.
func (m *Metrics) SessionEnded(s *lmtp.Session) {
	m.open.WithLabelValues(protocol(s.Protocol)).Dec()
}

// Replied is lmtp.Hooks.Reply.
func (m *Metrics) Replied(_ *lmtp.Session, verb string, r lmtp.Reply) {
	m.replies.of(replyKey{verb, r.Code}).Inc()
}

// Received is lmtp.Hooks.Content.
func (m *Metrics) Received(_ *lmtp.Session, octets int64) {
	m.messages.Inc()
	m.received.Add(float64(octets))
}
