package program

import "golang.org/x/text/transform"

// lineEnds makes all line ends LF or CRLF. A CR that no LF follows stays.
type lineEnds struct {
	lf bool // else CRLF
	cr bool // the octet before was a CR
}

// Reset implements transform.Transformer.
func (l *lineEnds) Reset() { l.cr = false }

// Transform implements transform.Transformer.
func (l *lineEnds) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for ; nSrc < len(src); nSrc++ {
		c := src[nSrc]
		switch {
		case c == '\n' && !l.lf && !l.cr:
			if nDst+2 > len(dst) {
				return nDst, nSrc, transform.ErrShortDst
			}
			dst[nDst] = '\r'
			nDst++
		case c == '\r' && l.lf && nSrc+1 == len(src) && !atEOF:
			return nDst, nSrc, transform.ErrShortSrc
		case c == '\r' && l.lf && nSrc+1 < len(src) && src[nSrc+1] == '\n':
			continue
		}
		if nDst == len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		dst[nDst] = c
		nDst++
		l.cr = c == '\r'
	}
	return nDst, nSrc, nil
}
