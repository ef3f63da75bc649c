package lmtp

import "fmt"

// An Error is a refusal with everything the client and the log need: the basic reply code,
// the enhanced status code (RFC 3463), a text that is safe to send, and the cause.
// The class is the first digit of Code: 4 is temporary, 5 permanent.
type Error struct {
	Code     int    // basic code, 400-599 (RFC 5321 §4.2)
	Enhanced string // "5.1.1"; its first digit equals that of Code (RFC 2034 §4)
	Text     string // for the client: printable ASCII, no names of files or accounts
	Rule     string // for the log: the word for what refuses, such as "domain"; see docs/logging.md
	Cause    error  // for the log; may be nil
}

// Error gives the reply and the cause, for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%d %s %s: %v", e.Code, e.Enhanced, e.Text, e.Cause)
	}
	return fmt.Sprintf("%d %s %s", e.Code, e.Enhanced, e.Text)
}

// Unwrap gives the cause. It bears a nil *Error, which is an error that is not nil.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Cause
}

// RuleInternal is the rule of errors that name none: a defect or trouble of ours.
const RuleInternal = "internal"

// RuleOf gives the word for the rule by which err refuses, and "" where err is nil.
func RuleOf(err error) string {
	if err == nil {
		return ""
	}
	if e := knownError(err); e != nil && e.Rule != "" {
		return e.Rule
	}
	return RuleInternal
}

// Temporary reports whether the client may try again later.
func (e *Error) Temporary() bool { return e.Code < 500 }
