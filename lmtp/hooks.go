package lmtp

// Hooks are called with what sessions do, for metrics and live views. One that is nil costs nothing.
// The others are called from many sessions at once, and the session waits for them: they must
// return at once, and keep none of their arguments but strings.
//
// A verb is that of a command, UNKNOWN for a line that is none and for the end of a session whose client was
// waited for too long, or CONNECT for the connection itself: its reply is the greeting, or the refusal in its place.
type Hooks struct {
	// Begin is called when a session begins, for connections that were admitted, and End when
	// it has ended.
	Begin, End func(s *Session)
	// Command is called with each command before it is answered, fit to be shown: an argument
	// that may hold a secret, or be part of a message that was taken for commands, is left out.
	Command func(s *Session, verb, args string)
	// Reply is called with each reply to a verb. Content is answered by replies to DATA or BDAT, over LMTP one for
	// each recipient.
	Reply func(s *Session, verb string, r Reply)
	// Content is called when a whole message has come, with its size.
	Content func(s *Session, octets int64)
}

// The verbs of Command and Reply that are none of the protocol.
const (
	verbConnect = "CONNECT"
	verbUnknown = "UNKNOWN"
)
