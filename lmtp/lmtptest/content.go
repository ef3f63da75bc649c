package lmtptest

import (
	"fmt"
	"strings"
)

// A Decoded is what stands in a stream of octets that begins with the content of DATA.
type Decoded struct {
	Content        string
	End            int // after CRLF.CRLF, or -1
	BareLF, BareCR bool
}

// String is for the errors of tests.
func (d Decoded) String() string {
	return fmt.Sprintf("%q, end at %d, bare LF %t, bare CR %t", d.Content, d.End, d.BareLF, d.BareCR)
}

// Decode is a decoder of DATA content (RFC 5321 §4.1.1.4, §4.5.2) to compare others with: from the whole of the octets,
// and one octet at a time. normalize makes CRLF of a bare LF.
func Decode(in string, normalize bool) Decoded {
	atLineStart := func(i int) bool { return i == 0 || i >= 2 && in[i-2:i] == "\r\n" }
	out := Decoded{End: -1}
	var content strings.Builder
	for i := range len(in) {
		dot := atLineStart(i) && in[i] == '.'
		afterDot := i > 0 && in[i-1] == '.' && atLineStart(i-1)
		switch {
		case dot && strings.HasPrefix(in[i:], ".\r\n"):
			out.End = i + len(".\r\n")
			out.Content = content.String()
			return out
		case dot:
			// transparency, RFC 5321 §4.5.2
		case in[i] == '\r':
			last := i == len(in)-1
			if last && afterDot {
				break // it may be part of the end
			}
			if !last && in[i+1] != '\n' {
				out.BareCR = true
			}
			content.WriteByte('\r')
		case in[i] == '\n' && (i == 0 || in[i-1] != '\r'):
			out.BareLF = true
			if normalize {
				content.WriteByte('\r')
			}
			content.WriteByte('\n')
		default:
			content.WriteByte(in[i])
		}
	}
	out.Content = content.String()
	return out
}
