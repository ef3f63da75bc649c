package lmtp

// Hooks are called with what sessions do, for those who count or watch. One that is nil costs nothing.
// The others are called from many sessions at once, and the session waits for them: they must
// return at once, and keep nothing that they are given but strings.
type Hooks struct {
	// Begin is called when a session begins, for connections that were admitted, and End when
	// it has ended.
	Begin, End func(s *Session)
	// Command is called with each command before it is answered, fit to be shown: an argument
	// that may hold a secret, or be part of a message that was taken for commands, is left out.
	Command func(s *Session, verb, args string)
	// Reply is called with each reply; verb is what it answers. Content that has come is answered
	// by replies to DATA or BDAT, one for each recipient over LMTP.
	Reply func(s *Session, verb string, r Reply)
	// Content is called when a whole message has come, of that many octets.
	Content func(s *Session, octets int64)
}

// What Command and Reply call what is no verb of the protocol.
const (
	// VerbConnect stands for the connection itself: its reply is the greeting, or why there is none.
	VerbConnect = "CONNECT"
	// VerbUnknown stands for a line that is no command, and for the end of a session that was
	// waited for in vain.
	VerbUnknown = "UNKNOWN"
)
