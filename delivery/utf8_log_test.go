package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestBadAddressesInTheLog says every kind of bad address to a server and wants, for each, the
// reply in ASCII (which lmtptest checks of all replies) and one line in the log at info or above
// that shows what can be shown of it, and has the rest escaped. UTF8-15, EAI-08.
func TestBadAddressesInTheLog(t *testing.T) {
	tests := []struct {
		name   string
		octets string // of the path
		mail   string // reply to MAIL … SMTPUTF8, "" for 250
		rcpt   string
		log    string // as the log writes it
	}{
		{"overlong UTF-8", "a\xc0\xaf@dst.example", "501 5.1.7", "501 5.1.3", `a\xc0\xaf@dst.example`},
		{"surrogate", "a\xed\xa0\x80@dst.example", "501 5.1.7", "501 5.1.3", `a\xed\xa0\x80@dst.example`},
		{"beyond Unicode", "a\xf4\x90\x80\x80@dst.example", "501 5.1.7", "501 5.1.3", `a\xf4\x90\x80\x80@dst.example`},
		{"truncated sequence", "a\xc3@dst.example", "501 5.1.7", "501 5.1.3", `a\xc3@dst.example`},
		{"Latin-1", "jos\xe9@dst.example", "501 5.1.7", "501 5.1.3", `jos\xe9@dst.example`},
		{"C0 control", "a\x08@dst.example", "501 5.1.7", "501 5.1.3", `a\x{8}@dst.example`},
		{"escape sequence of a terminal", "a\x1b[2J@dst.example", "501 5.1.7", "501 5.1.3", `a\x{1b}[2J@dst.example`},
		{"C1 control", "u1\xc2\x85@dst.example", "501 5.1.7", "550 5.1.1", `u1\x{85}@dst.example`},
		{"ideographic full stop", "u1@b\u00fccher\u3002example", "501 5.1.7", "501 5.1.3", "u1@b\u00fccher\u3002example"},
		{"bidi control in a domain", "u1@d\u202est.example", "501 5.1.7", "501 5.1.3", `u1@d\x{202e}st.example`},
		{"invisible character in a domain", "u1@d\u200bst.example", "501 5.1.7", "501 5.1.3", `u1@d\x{200b}st.example`},
		{"bidi control", "u1\u202e@dst.example", "", "550 5.1.1", `u1\x{202e}@dst.example`},
		{"invisible character", "u1\u200b@dst.example", "", "550 5.1.1", `u1\x{200b}@dst.example`},
		{"byte order mark", "\ufeffu1@dst.example", "", "550 5.1.1", `\x{feff}u1@dst.example`},
		{"line separator", "u1\u2028@dst.example", "", "550 5.1.1", `u1\x{2028}@dst.example`},
		{"label that is no A-label", "u1@xn--u-ccb.example", "", "550 5.1.2", "u1@xn--u-ccb.example"},
		{"unknown, in many scripts", "nøpe日本אب한ไक@dst.example", "", "550 5.1.1",
			"nøpe日本אب한ไक@dst.example"},
		{"A-labels of a domain elsewhere", "u1@xn--r8jz45g.example", "", "550 5.1.2", "u1@例え.example"},
		{"filler that is a letter", "u1\u3164\u115f@dst.example", "", "550 5.1.1", `u1\x{3164}\x{115f}@dst.example`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.mail != "" {
				log := refuse(t, "P0\nC> MAIL FROM:<%s> SMTPUTF8\\r\\n\nS: "+tt.mail, tt.octets, tt.mail)
				checkLogged(t, log, tt.log)
			}
			log := refuse(t, "U1\nC> RCPT TO:<%s>\\r\\n\nS: "+tt.rcpt, tt.octets, tt.rcpt)
			checkLogged(t, log, tt.log)
		})
	}
	t.Run("UTF8-03 without SMTPUTF8", func(t *testing.T) {
		checkLogged(t, refuse(t, "P0\nC> MAIL FROM:<%s>\\r\\n\nS: 550 5.6.7", "jos\u00e9@src.example", "550 5.6.7"),
			"jos\u00e9@src.example")
		checkLogged(t, refuse(t, "P1\nC> RCPT TO:<%s>\\r\\n\nS: 553 5.6.7", "jos\xe9@dst.example", "553 5.6.7"),
			`jos\xe9@dst.example`)
	})
	t.Run("a long one is cut", func(t *testing.T) {
		log := refuse(t, "U1\nC> RCPT TO:<%s>\\r\\n\nS: 501 5.1.3", strings.Repeat("\u00e9", 1500), "501 5.1.3")
		if len(log) > 5000 || !strings.Contains(log, "...") {
			t.Errorf("%d octets of log", len(log))
		}
	})
}

// refuse plays a session with one bad path in it, and returns the lines of the log that speak of
// the refusal.
func refuse(t *testing.T, session, octets, code string) string {
	t.Helper()
	f := newFixture(t, "lmtp")
	var escaped strings.Builder
	for _, b := range []byte(octets) {
		fmt.Fprintf(&escaped, `\x%02x`, b)
	}
	f.say(t, "pipe", fmt.Sprintf(session, escaped.String()))
	f.shutdown(t)
	var lines []string
	for line := range strings.Lines(f.log.String()) {
		if strings.Contains(line, `code="`+code+`"`) && !strings.Contains(line, "level=DEBUG") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		t.Errorf("%d lines in the log:\n%s", len(lines), f.log.String())
	}
	return strings.Join(lines, "")
}

// checkLogged wants the address as it is shown, and nothing that a terminal could take amiss.
func checkLogged(t *testing.T, log, want string) {
	t.Helper()
	// Values with spaces in them are in quotes, which double a backslash.
	if !strings.Contains(strings.ReplaceAll(log, `\\`, `\`), want) {
		t.Errorf("no %s in\n%s", want, log)
	}
	for _, r := range strings.TrimSuffix(log, "\n") {
		if !address.IsShown(r) {
			t.Errorf("%U in the log: %q", r, log)
		}
	}
}
