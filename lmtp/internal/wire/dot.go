package wire

import "bytes"

// A DotDecoder finds the end of DATA content and removes transparency dots (RFC 5321
// §4.5.2). The end is CRLF "." CRLF and nothing else, where the first CRLF may be the one
// that ended the DATA command (§4.1.1.4). It works on blocks as they come from the network
// and hands content on in spans of them, without copying.
type DotDecoder struct {
	Emit func(content []byte)
	// GiveUp ends reading; Emit sets it when there has been too much.
	GiveUp error
	// Normalize makes CRLF of a bare LF. It does not make the LF a line end in the sense of
	// the standard: a dot after it neither ends the content nor is removed.
	Normalize bool

	state  dotState
	BareLF bool // a LF without CR was met
	BareCR bool // a CR without LF was met
}

// dotState is where in a line the decoder stands.
type dotState int

const (
	lineStart dotState = iota // after CRLF, or at the very start; must be zero
	lineDot                   // after the dot that a line began with; it was dropped
	lineDotCR                 // after that dot and a CR, which was held back
	inLine                    // anywhere else
	inLineCR                  // anywhere else, after a CR
)

var (
	heldCR  = []byte("\r")
	madeEnd = []byte("\r\n")
)

// Decode takes a block, and returns how much of it is content and whether the end was found
// in it; what follows the end is left to the caller.
func (d *DotDecoder) Decode(p []byte) (n int, done bool) {
	start := 0 // p[start:i] is content not yet handed on
	for i := 0; i < len(p); {
		switch d.state {
		case lineStart:
			if p[i] == '.' {
				d.span(p[start:i])
				i++
				start = i
				d.state = lineDot
			} else {
				d.state = inLine
			}

		case lineDot:
			if p[i] == '\r' {
				i++
				start = i
				d.state = lineDotCR
			} else {
				d.state = inLine
			}

		case lineDotCR:
			if p[i] == '\n' {
				return i + 1, true
			}
			d.span(heldCR)
			d.state = inLineCR

		case inLine, inLineCR:
			lf := bytes.IndexByte(p[i:], '\n')
			if lf < 0 {
				d.noteCR(p[i:len(p)-1], p[i])
				d.state = inLine
				if p[len(p)-1] == '\r' {
					d.state = inLineCR
				}
				i = len(p)
				break
			}
			lf += i
			crlf := lf == i && d.state == inLineCR || lf > i && p[lf-1] == '\r'
			if crlf {
				d.noteCR(p[i:max(lf-1, i)], p[i])
				d.state = lineStart
			} else {
				d.noteCR(p[i:lf], p[i])
				d.BareLF = true
				d.state = inLine
				if d.Normalize {
					d.span(p[start:lf])
					d.span(madeEnd)
					start = lf + 1
				}
			}
			i = lf + 1
		}
	}
	d.span(p[start:])
	return len(p), false
}

// noteCR looks for a CR that no LF follows: in part of a line, or at the end of the block
// before, which first, the octet after it, then decides.
func (d *DotDecoder) noteCR(part []byte, first byte) {
	if !d.BareCR {
		d.BareCR = d.state == inLineCR && first != '\n' || bytes.IndexByte(part, '\r') >= 0
	}
}

func (d *DotDecoder) span(content []byte) {
	if len(content) > 0 {
		d.Emit(content)
	}
}
