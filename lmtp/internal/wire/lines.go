package wire

import "bytes"

// A LineScanner looks at the line ends of text that came by BDAT, where a line end has no
// meaning to the protocol: the next hop may not have BDAT, and reads them.
type LineScanner struct {
	Emit      func(content []byte)
	Normalize bool // make CRLF of a bare LF

	afterCR bool // the octet before was a CR
	BareLF  bool
	BareCR  bool
}

// Scan looks at the next octets and hands them on.
func (s *LineScanner) Scan(p []byte) {
	start := 0 // p[start:i] is not yet handed on
	for i := 0; i < len(p); {
		lf := bytes.IndexByte(p[i:], '\n')
		if lf < 0 {
			s.noteCR(p[i:len(p)-1], p[i])
			s.afterCR = p[len(p)-1] == '\r'
			break
		}
		lf += i
		if lf == i && s.afterCR || lf > i && p[lf-1] == '\r' {
			s.noteCR(p[i:max(lf-1, i)], p[i])
		} else {
			s.noteCR(p[i:lf], p[i])
			s.BareLF = true
			if s.Normalize {
				s.span(p[start:lf])
				s.span(madeEnd)
				start = lf + 1
			}
		}
		s.afterCR = false
		i = lf + 1
	}
	s.span(p[start:])
}

// End is the end of the text.
func (s *LineScanner) End() { s.BareCR = s.BareCR || s.afterCR }

// noteCR looks for a CR that no LF follows: in part of a line, or before it, which first,
// the octet after it, then decides.
func (s *LineScanner) noteCR(part []byte, first byte) {
	if !s.BareCR {
		s.BareCR = s.afterCR && first != '\n' || bytes.IndexByte(part, '\r') >= 0
	}
}

func (s *LineScanner) span(content []byte) {
	if len(content) > 0 {
		s.Emit(content)
	}
}
