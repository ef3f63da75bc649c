package lmtptest

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// A Script is a session to be played.
type Script struct {
	Name     string
	Protocol string   // "lmtp" or "esmtp"
	With     []string // what the server must have; the names are its own
	LockStep bool
	Steps    []Step
	Checks   []Check
}

// A Step is something sent, or something expected.
type Step struct {
	Line   int    // in the file
	Send   string // octets; "" when this is an expectation
	Expect *Expectation
	Closed bool
}

// An Expectation is a reply that must come.
type Expectation struct {
	Code     int
	Enhanced string
	Text     *regexp.Regexp // nil: any
}

// A Check is about what the session leaves behind.
type Check struct {
	Line    int
	Kind    string // "in", "content", "header", "reports", "report"
	Mailbox string // "" for "reports"
	Value   string
}

// Add adds parameters to each MAIL and RCPT. It reports whether there is one that may have more: a session with HELO
// has no parameters, and one that measures the length of lines, or has these parameters, stays as it is.
func (s *Script) Add(mail, rcpt string) bool {
	added := false
	for i := range s.Steps {
		line, ok := strings.CutSuffix(s.Steps[i].Send, "\r\n")
		verb := strings.ToUpper(line[:min(len(line), len("MAIL FROM:"))])
		switch {
		case !ok || strings.Contains(line, "\r\n"): // more than one line
		case strings.HasPrefix(verb, "HELO"), len(line) > 2000, strings.Contains(line, " RET="),
			strings.Contains(line, " NOTIFY="):
			return false
		case verb == "MAIL FROM:":
			s.Steps[i].Send, added = line+mail+"\r\n", true
		case strings.HasPrefix(verb, "RCPT TO:"):
			s.Steps[i].Send, added = line+rcpt+"\r\n", true
		}
	}
	return added
}

// Preambles are the beginnings that sessions share.
var Preambles = map[string]string{
	"P0": "S: 220\nC: HELLO c.example\nS: 250",
	"P1": "P0\nC: MAIL FROM:<a@src.example>\nS: 250 2.1.0",
	"P2": "P1\nC: RCPT TO:<u1@dst.example>\nS: 250 2.1.5",
	"P3": "P2\nC: RCPT TO:<u2@dst.example>\nS: 250 2.1.5",
	"P4": "P3\nC: DATA\nS: 354",
	"U1": "P0\nC: MAIL FROM:<a@src.example> SMTPUTF8\nS: 250 2.1.0",
}

// Read parses a session file.
func Read(path string) (*Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, string(text))
}

// Parse parses the text of a session file.
func Parse(name, text string) (*Script, error) {
	s := &Script{Name: name, Protocol: "lmtp"}
	for i, line := range strings.Split(text, "\n") {
		if err := s.add(i+1, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	for i := range s.Steps {
		hello := map[string]string{"lmtp": "LHLO", "esmtp": "EHLO"}[s.Protocol]
		s.Steps[i].Send = strings.Replace(s.Steps[i].Send, "HELLO c.example", hello+" c.example", 1)
	}
	return s, nil
}

var check = regexp.MustCompile(`^(in|content|header|report|reports)(?: (\S+))?: ?(.*)$`)

func (s *Script) add(n int, line string) error {
	if preamble, ok := Preambles[line]; ok {
		for part := range strings.SplitSeq(preamble, "\n") {
			if err := s.add(n, part); err != nil {
				return err
			}
		}
		return nil
	}
	if m := check.FindStringSubmatch(line); m != nil {
		s.Checks = append(s.Checks, Check{n, m[1], m[2], m[3]})
		return nil
	}
	kind, value, _ := strings.Cut(line, " ")
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
		return nil
	case kind == "C:":
		sent, err := Unescape(value)
		s.Steps = append(s.Steps, Step{Line: n, Send: sent + "\r\n"})
		return err
	case kind == "C>":
		sent, err := Unescape(value)
		s.Steps = append(s.Steps, Step{Line: n, Send: sent})
		return err
	case kind == "S:":
		return s.expect(n, value)
	case line == "closed":
		s.Steps = append(s.Steps, Step{Line: n, Closed: true})
		return nil
	case line == "lock-step":
		s.LockStep = true
		return nil
	case kind == "with:":
		s.With = strings.Fields(value)
		return nil
	case kind == "only:" && (value == "lmtp" || value == "esmtp"):
		s.Protocol = value
		return nil
	}
	return fmt.Errorf("not understood: %s", line)
}

var expectation = regexp.MustCompile(`^(\d{3})(?: (\d\.\d+\.\d+))?(?: x(\d+))?(?: /(.*)/)?$`)

func (s *Script) expect(n int, value string) error {
	m := expectation.FindStringSubmatch(value)
	if m == nil {
		return fmt.Errorf("not a reply: %s", value)
	}
	e := &Expectation{Enhanced: m[2]}
	e.Code, _ = strconv.Atoi(m[1])
	if m[4] != "" {
		text, err := regexp.Compile(m[4])
		if err != nil {
			return err
		}
		e.Text = text
	}
	times := 1
	if m[3] != "" {
		times, _ = strconv.Atoi(m[3])
	}
	for range times {
		s.Steps = append(s.Steps, Step{Line: n, Expect: e})
	}
	return nil
}

var repetition = regexp.MustCompile(`«([^»]*)\*(\d+)»`)

// Unescape returns the octets that a line of a session stands for.
func Unescape(s string) (string, error) {
	s = repetition.ReplaceAllStringFunc(s, func(m string) string {
		part := repetition.FindStringSubmatch(m)
		n, _ := strconv.Atoi(part[2])
		return strings.Repeat(part[1], n)
	})
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", fmt.Errorf("a lone backslash at the end")
		}
		switch s[i] {
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '\\':
			b.WriteByte('\\')
		case 'x':
			octet, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
			if err != nil {
				return "", err
			}
			b.WriteByte(byte(octet))
			i += 2
		default:
			return "", fmt.Errorf("unknown escape \\%c", s[i])
		}
	}
	return b.String(), nil
}
