package lmtp

import (
	"context"
	"testing"
)

// TestPRDRForAll: what the last reply says of the whole, given what each recipient is answered.
func TestPRDRForAll(t *testing.T) {
	gone := &Error{Code: 550, Enhanced: "5.7.17", Text: "another owner"}
	full := &Error{Code: 552, Enhanced: "5.2.2", Text: "full"}
	busy := &Error{Code: 451, Enhanced: "4.2.0", Text: "busy"}
	for _, tt := range []struct {
		name  string
		each  []error
		codes []string
		last  string
	}{
		{"one has it", []error{gone, nil, busy}, []string{"550 5.7.17", "250 2.0.0", "451 4.2.0"}, "250 2.0.0"},
		{"all have it", []error{nil, nil}, []string{"250 2.0.0", "250 2.0.0"}, "250 2.0.0"},
		{"only one", []error{gone}, []string{"550 5.7.17"}, "550 5.7.17"},
		{"the same reason", []error{busy, busy}, []string{"451 4.2.0", "451 4.2.0"}, "451 4.2.0"},
		{"permanent for different reasons", []error{gone, full}, []string{"550 5.7.17", "552 5.2.2"}, "554 5.0.0"},
		{"one may be tried again", []error{gone, busy, gone}, []string{"550 5.7.17", "451 4.2.0", "550 5.7.17"}, "451 4.0.0"},
		{"one may be tried again after others", []error{gone, full, busy}, []string{"550 5.7.17", "552 5.2.2", "451 4.2.0"},
			"451 4.0.0"},
	} {
		t.Run("DATA-13 "+tt.name, func(t *testing.T) {
			h := &fakeHandler{onCommit: func(context.Context, *fakeTx) <-chan error {
				outcomes := make(chan error, len(tt.each))
				for _, err := range tt.each {
					outcomes <- err
				}
				close(outcomes)
				return outcomes
			}}
			d := opened(t, &Server{Handler: h, Protocol: ESMTP})
			d.say("MAIL FROM:<a@src.example> PRDR")
			d.expect("250 2.1.0")
			for range tt.each {
				d.say("RCPT TO:<u1@dst.example>")
				d.expect("250 2.1.5")
			}
			d.say("DATA", "x", ".")
			d.expect("354", "353")
			d.expect(append(tt.codes, tt.last)...)
			d.say("QUIT")
			d.expect("221 2.0.0")
			d.expectClosed()
		})
	}
}
