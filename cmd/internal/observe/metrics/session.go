package metrics

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// sessions counts what the protocol does.
type sessions struct {
	began    *prometheus.CounterVec // by protocol
	open     *prometheus.GaugeVec   // by protocol
	replies  *memo[replyKey, prometheus.Counter]
	messages prometheus.Counter
	received prometheus.Counter // octets
}

func newSessions(f promauto.Factory) sessions {
	replies := f.NewCounterVec(prometheus.CounterOpts{Name: "replies_total",
		Help: "Replies, by the verb that they answer and their code. CONNECT stands for the connection itself, UNKNOWN " +
			"for what is no command; content is answered by DATA or BDAT, over LMTP for each recipient.",
	}, []string{"verb", "code"})
	s := sessions{
		began: f.NewCounterVec(prometheus.CounterOpts{Name: "sessions_total",
			Help: "Sessions that began, by protocol."}, []string{"protocol"}),
		open: f.NewGaugeVec(prometheus.GaugeOpts{Name: "sessions_open",
			Help: "Sessions that are open, by protocol."}, []string{"protocol"}),
		replies: newMemo(func(k replyKey) prometheus.Counter {
			return replies.WithLabelValues(k.verb, strconv.Itoa(k.code))
		}),
		messages: f.NewCounter(prometheus.CounterOpts{Name: "messages_total",
			Help: "Messages whose content came whole."}),
		received: f.NewCounter(prometheus.CounterOpts{Name: "received_bytes_total",
			Help: "Octets of their content, as sent."}),
	}
	for _, p := range []lmtp.Protocol{lmtp.LMTP, lmtp.ESMTP} { // shown as 0 from the start
		s.began.WithLabelValues(protocol(p))
		s.open.WithLabelValues(protocol(p))
	}
	return s
}

// A replyKey is a reply to a verb.
type replyKey struct {
	verb string
	code int
}

func protocol(p lmtp.Protocol) string { return strings.ToLower(p.String()) }

// SessionBegan is lmtp.Hooks.Begin.
func (m *sessions) SessionBegan(s *lmtp.Session) {
	m.began.WithLabelValues(protocol(s.Protocol)).Inc()
	m.open.WithLabelValues(protocol(s.Protocol)).Inc()
}

// SessionEnded is lmtp.Hooks.End.
func (m *sessions) SessionEnded(s *lmtp.Session) {
	m.open.WithLabelValues(protocol(s.Protocol)).Dec()
}

// Replied is lmtp.Hooks.Reply.
func (m *sessions) Replied(_ *lmtp.Session, verb string, r lmtp.Reply) {
	m.replies.of(replyKey{verb, r.Code}).Inc()
}

// Received is lmtp.Hooks.Content.
func (m *sessions) Received(_ *lmtp.Session, octets int64) {
	m.messages.Inc()
	m.received.Add(float64(octets))
}
