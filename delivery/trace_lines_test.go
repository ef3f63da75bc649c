package delivery_test

import (
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestTraceLines: TRC-10. The longest names and addresses that tests of mailboxes ask for leave
// every line of the trace fields within RFC 5322 §2.1.1, each field whole after its first line,
// and a reverse-path that the parser reads to the same again.
func TestTraceLines(t *testing.T) {
	const session = `
S: 220
C: LHLO «a*255»
S: 250
C> MAIL FROM:<"\\"«\xc3\xa9*100»\\\\ x"@b\xc3\xbccher.example> SMTPUTF8\r\n
S: 250 2.1.0
C> RCPT TO:<u1+«\xc3\xa9*98»@b\xc3\xbccher.example>\r\n
S: 250 2.1.5
C: DATA
S: 354
C> Subject: s\r\n\r\n.\r\n
S: 250 2.0.0
`
	f := newFixture(t, "lmtp")
	f.say(t, "unix", session)
	f.shutdown(t)
	messages := f.messages(t, "u1")
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	head, _, _ := strings.Cut(messages[0], "Subject: s\n")
	var names []string
	for line := range strings.Lines(head) {
		if len(line) > 998 {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
		if name, _, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "\t") {
			names = append(names, name)
		} else if !strings.HasPrefix(line, "\t") || strings.TrimSpace(line) == "" {
			t.Errorf("neither a field nor the rest of one: %q", line)
		}
	}
	if got := strings.Join(names, " "); got != "Return-Path Delivered-To Received" {
		t.Errorf("fields %s", got)
	}
	path := strings.TrimSuffix(strings.TrimPrefix(strings.SplitN(head, "\n", 2)[0], "Return-Path: <"), ">")
	from, err := address.Parser{UTF8: true}.ReversePath(path)
	if want := `"` + strings.Repeat("é", 100) + `\ x`; err != nil || from.Local != want ||
		from.Domain != "bücher.example" {
		t.Errorf("%q is read %q at %q: %v", path, from.Local, from.Domain, err)
	}
}
