package delivery_test

import (
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

const newOwnerField = "C: Require-Recipient-Valid-Since: u1@dst.example; Sat, 1 Jan 2000 00:00:00 +0000\n"

// TestSharedCopyNamesOneWhoHasIt: it takes the header to know whom a shared copy is for. As much of
// it as is looked at before the copy is named is bounded; the refusal holds for any.
func TestSharedCopyNamesOneWhoHasIt(t *testing.T) {
	long := strings.Repeat("C: X-Long: "+strings.Repeat("x", 900)+"\n", 100)
	const refused, taken = "S: 550 5.7.17\nS: 250 2.0.0\n", "S: 250 2.0.0\nS: 250 2.0.0\n"
	for _, tt := range []struct{ name, with, content, replies, named, stored string }{
		{"refused", "with: rrvs\n", newOwnerField + "C: A: b\nC:\nC: c\n", refused, "sales", `A: b\n\nc\n`},
		{"a header alone", "with: rrvs\n", newOwnerField + "C: A: b\n", refused, "sales", `A: b\n`},
		{"no header", "with: rrvs\n", "C:\n" + newOwnerField, taken, "u1", ""},
		{"in front of a long header", "with: rrvs\n", newOwnerField + long + "C:\n", refused, "sales", ""},
		{"after a long header", "with: rrvs\n", long + newOwnerField + "C:\n", refused, "u1", ""},
		{"nobody refused", "with: rrvs\n", long + "C:\nC: c\n", taken, "u1", ""},
		{"not looked at", "", newOwnerField + "C:\nC: c\n", taken, "u1", ""},
	} {
		t.Run("RRVS-04 "+tt.name, func(t *testing.T) {
			text := tt.with + "P1\nC: RCPT TO:<u1@dst.example>\nS: 250 2.1.5\nC: RCPT TO:<sales@dst.example>\nS: 250 2.1.5\n" +
				"C: DATA\nS: 354\n" + tt.content + "C: .\n" + tt.replies +
				"in u1: 1\nheader u1: ^Delivered-To: " + tt.named + "@dst\\.example$\n"
			if tt.stored != "" {
				text += "content u1: " + tt.stored + "\n"
			}
			script, err := lmtptest.Parse(tt.name, text)
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(t, script.Protocol)
			f.server.Limits.MessageSize = 1 << 20
			f.playScript(t, script)
		})
	}
}
