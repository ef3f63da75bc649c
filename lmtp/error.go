package lmtp

import (
	"errors"
	"fmt"
	"strconv"
)

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

// Error returns the reply and the cause, for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%d %s %s: %v", e.Code, e.Enhanced, e.Text, e.Cause)
	}
	return fmt.Sprintf("%d %s %s", e.Code, e.Enhanced, e.Text)
}

// Unwrap returns the cause, nil for a nil *Error.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Cause
}

// ruleInternal is the rule of errors that name none: a defect, or trouble of this machine.
const ruleInternal = "internal"

// RuleOf returns the word for the rule by which err refuses: "internal" for an error that names none, "" for nil.
func RuleOf(err error) string {
	if err == nil {
		return ""
	}
	if e := knownError(err); e != nil && e.Rule != "" {
		return e.Rule
	}
	return ruleInternal
}

// Temporary reports whether the client may try again later.
func (e *Error) Temporary() bool { return e.Code < 500 }

// knownError returns the *Error that err is or wraps, or nil where there is none that could be
// a refusal.
func knownError(err error) *Error {
	if e := (*Error)(nil); errors.As(err, &e) && e != nil && e.Code >= 400 && e.Code <= 599 {
		return e
	}
	return nil
}

// TooLarge refuses a message of more octets than are taken (RFC 1870 §6.1).
func TooLarge(limit int64) *Error {
	text := "message larger than " + strconv.FormatInt(limit, 10) + " octets"
	return &Error{Code: 552, Enhanced: "5.3.4", Text: text, Rule: "message_size"}
}
