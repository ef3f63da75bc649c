package tomlpos

import "strings"

// eat reads token, if it is what comes next.
func (s *scanner) eat(token string) bool {
	if !strings.HasPrefix(s.text[s.pos:], token) {
		return false
	}
	s.pos += len(token)
	return true
}

// spaces reads white space within a line.
func (s *scanner) spaces() {
	for s.pos < len(s.text) && (s.text[s.pos] == ' ' || s.text[s.pos] == '\t') {
		s.pos++
	}
}

// blank reads white space, line ends and comments.
func (s *scanner) blank() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		case '#':
			s.comment()
		default:
			return
		}
	}
}

// comment reads up to the end of the line.
func (s *scanner) comment() {
	if end := strings.IndexByte(s.text[s.pos:], '\n'); end >= 0 {
		s.pos += end
	} else {
		s.pos = len(s.text)
	}
}

// lineEnd reads what may follow an expression: a comment, a line end, the end.
func (s *scanner) lineEnd() bool {
	s.spaces()
	if s.pos < len(s.text) && s.text[s.pos] == '#' {
		s.comment()
	}
	return s.pos == len(s.text) || s.eat("\n") || s.eat("\r\n")
}

// line reads a string of one line, from its opening quote to its closing one.
func (s *scanner) line(quote byte) bool {
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == quote:
			s.pos++
			return true
		case c == '\n':
			return false
		case c == '\\' && quote == '"':
			s.pos++
		}
	}
	s.pos = len(s.text)
	return false
}

// lines reads a multi-line string, from its opening quotes to its closing ones. One or two
// quotes more directly before the closing three belong to the string.
func (s *scanner) lines(quotes string) bool {
	for s.pos += len(quotes); s.pos < len(s.text); s.pos++ {
		if s.text[s.pos] == '\\' && quotes[0] == '"' {
			s.pos++
			continue
		}
		if s.eat(quotes) {
			for range 2 {
				s.eat(quotes[:1])
			}
			return true
		}
	}
	s.pos = len(s.text)
	return false
}

// isBare reports whether c can stand in a key without quotes.
func isBare(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
