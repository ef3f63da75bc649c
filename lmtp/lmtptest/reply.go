package lmtptest

import (
	"bufio"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Reply is one reply of the server.
type Reply struct {
	Code     int
	Enhanced string // "" for none
	Lines    []string
}

// String returns the reply as it was sent.
func (r Reply) String() string { return strings.Join(r.Lines, "\n") }

var replyLine = regexp.MustCompile(`^([2-5]\d\d)([ -])(?:([245])(\.\d{1,3}\.\d{1,3}) )?[\t\x20-\x7e]*$`)

// ReadReply reads one reply and checks the form of each of its lines: printable ASCII, at
// most 512 octets, ended by CRLF, one code for all lines and one enhanced code, of the same
// class (RFC 5321 §4.2, §4.5.3.1.5; RFC 2034 §4).
func ReadReply(r *bufio.Reader) (Reply, error) {
	var reply Reply
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return reply, err
		}
		m := replyLine.FindStringSubmatch(strings.TrimSuffix(line, "\r\n"))
		switch {
		case !strings.HasSuffix(line, "\r\n") || m == nil:
			return reply, fmt.Errorf("not a reply line: %q", line)
		case len(line) > 512:
			return reply, fmt.Errorf("reply line of %d octets: %.60q…", len(line), line)
		case m[3] != "" && m[3] != m[1][:1]:
			return reply, fmt.Errorf("class of enhanced code differs from the reply's: %q", line)
		}
		code, _ := strconv.Atoi(m[1])
		if len(reply.Lines) == 0 {
			reply.Code, reply.Enhanced = code, m[3]+m[4]
		} else if reply.Code != code || reply.Enhanced != m[3]+m[4] {
			return reply, fmt.Errorf("lines of one reply differ in their codes: %q after %q", line, reply.Lines[0])
		}
		reply.Lines = append(reply.Lines, strings.TrimSuffix(line, "\r\n"))
		if m[2] == " " {
			return reply, reply.checkEnhanced()
		}
	}
}

// checkEnhanced: the greeting, replies to a hello and 3xx have no enhanced code; every other
// reply has one (RFC 2034 §4). A refused hello is distinguished by its text, which names it.
func (r Reply) checkEnhanced() error {
	bare := r.Enhanced == ""
	switch {
	case r.Code >= 300 && r.Code < 400 && !bare:
		return fmt.Errorf("intermediate reply with an enhanced code: %q", r)
	case r.Code >= 400 && r.Code < 500 && bare:
		return fmt.Errorf("reply without an enhanced code: %q", r)
	case bare && r.Code > 250 && r.Code/100 != 3 && !strings.Contains(r.Lines[0], "LHLO") &&
		!strings.Contains(r.Lines[0], "EHLO") && !strings.Contains(r.Lines[0], "who you are"):
		return fmt.Errorf("reply without an enhanced code: %q", r)
	}
	return nil
}

// match compares a reply with what was expected.
func (e *Expectation) match(r Reply) error {
	if r.Code != e.Code || r.Enhanced != e.Enhanced {
		return fmt.Errorf("reply is %q, want %d %s", r, e.Code, e.Enhanced)
	}
	if e.Text == nil {
		return nil
	}
	for _, line := range r.Lines {
		if e.Text.MatchString(line) {
			return nil
		}
	}
	return fmt.Errorf("reply %q has no line that matches %s", r, e.Text)
}
