package lmtp

import (
	"net"
	"testing"
)

// TestHelp: HELP names what the session can use, and nothing that would be refused in all its states.
func TestHelp(t *testing.T) {
	a := newAuthority(t)
	trust := func(net.Conn) bool { return true }
	distrust := func(net.Conn) bool { return false }
	for name, tt := range map[string]struct {
		change      func(*Server)
		plain, over string // "": no TLS
	}{
		"LMTP": {func(s *Server) { s.TLS.Config = nil }, "MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP LHLO", ""},
		"ESMTP": {func(s *Server) { s.TLS.Config, s.Protocol = nil, ESMTP },
			"MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP EHLO HELO", ""},
		"trusted": {func(s *Server) { s.TLS.Config, s.Peers.Trusted = nil, trust },
			"MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP LHLO XCLIENT XFORWARD", ""},
		"a peer that is not trusted": {func(s *Server) { s.TLS.Config, s.Peers.Trusted = nil, distrust },
			"MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP LHLO", ""},
		"TLS": {func(s *Server) {}, "MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP LHLO STARTTLS",
			"MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP LHLO"},
	} {
		t.Run(name, func(t *testing.T) {
			s := a.server()
			s.Handler = &sessionHandler{}
			tt.change(s)
			d := talk(t, s)
			d.expect("220")
			d.say("HELP")
			if got := d.expect("214 2.0.0").Lines[0]; got != "214 2.0.0 "+tt.plain {
				t.Errorf("%q", got)
			}
			if tt.over == "" {
				return
			}
			d.offered("LHLO c.example")
			d.startTLS(a.client())
			d.say("HELP")
			if got := d.expect("214 2.0.0").Lines[0]; got != "214 2.0.0 "+tt.over {
				t.Errorf("over TLS %q", got)
			}
		})
	}
}
