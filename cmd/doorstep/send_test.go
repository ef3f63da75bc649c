package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestReportIsPrintable: a server's words cannot play with the terminal of whoever asks it
// (ECMA-48 has control functions above 127 too).
func TestReportIsPrintable(t *testing.T) {
	var out strings.Builder
	err := report(&client.Result{Recipients: []client.Outcome{
		{To: "a@example.org", Final: client.Reply{Code: 250, Lines: []string{"ok \u009b2J 你好"}}},
		{To: "b@example.org", Err: errors.New("read: \x1b[2J")},
	}}, &out)
	if want := "a@example.org: 250 ok ?2J 你好\nb@example.org: read: ?[2J\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	if err == nil || err.Error() != "1 of 2 recipients not delivered" {
		t.Errorf("error %v", err)
	}
}
