package lmtp

// A state is where a session stands (RFC 5321 §4.1.4).
type state int

const (
	stateGreeted state = iota // before LHLO or EHLO
	stateReady                // no transaction
	stateMail                 // after MAIL, without an accepted recipient
	stateRcpt                 // with at least one
	stateChunk                // after BDAT (RFC 3030)
	stateFailed               // after a BDAT that failed: the rest of its chunks may be coming
)

// states is a set of states.
type states uint

func in(list ...state) states {
	var set states
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

func (set states) has(s state) bool { return set&(1<<s) != 0 }

var (
	always        = in(stateGreeted, stateReady, stateMail, stateRcpt, stateChunk, stateFailed)
	inTransaction = in(stateMail, stateRcpt)
)
