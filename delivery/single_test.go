package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// TestSingleCopyNamesNobody: a file that several people read names none of them, in none of the
// ways that a message can come; a message for one mailbox names its recipient as ever (MDIR-16).
func TestSingleCopyNamesNobody(t *testing.T) {
	for _, tt := range []struct {
		name string
		rcpt []string
		with string
	}{
		{"two mailboxes", []string{"u1", "u2"}, "single"},
		{"one mailbox", []string{"u1"}, "single"},
		{"two addresses of one mailbox", []string{"u1", "sales"}, "single"},
		{"switched off", []string{"u1", "u2"}, ""},
	} {
		t.Run("MDIR-16 "+tt.name, func(t *testing.T) {
			var text strings.Builder
			if tt.with != "" {
				text.WriteString("with: " + tt.with + "\n")
			}
			text.WriteString("P1\n")
			for _, local := range tt.rcpt {
				fmt.Fprintf(&text, "C: RCPT TO:<%s@dst.example>\nS: 250 2.1.5\n", local)
			}
			text.WriteString("C: DATA\nS: 354\nC: A: b\nC:\nC: c\nC: .\n" + strings.Repeat("S: 250 2.0.0\n", len(tt.rcpt)))
			script, err := lmtptest.Parse(tt.name, text.String())
			must(t, err)
			f := newFixture(t, script.Protocol)
			f.playScript(t, script)
			messages := f.messages(t, "u1")
			if len(messages) != 1 {
				t.Fatalf("%d messages", len(messages))
			}
			shared := tt.with != "" && tt.name == "two mailboxes"
			if got := strings.Contains(messages[0], "\nDelivered-To: u1@dst.example\n") &&
				strings.Contains(messages[0], "for <u1@dst.example>"); got == shared {
				t.Errorf("the recipient is named: %v\n%s", got, messages[0])
			}
			if shared && strings.Contains(messages[0], "@dst.example") {
				t.Errorf("a recipient is named\n%s", messages[0])
			}
			if shared && messages[0] != f.messages(t, "u2")[0] {
				t.Errorf("the copies differ\n%s\n%s", messages[0], f.messages(t, "u2")[0])
			}
			if !strings.HasPrefix(messages[0], "Return-Path: <") || !strings.Contains(messages[0], "\nReceived: from ") {
				t.Errorf("trace fields are missing\n%s", messages[0])
			}
		})
	}
}
