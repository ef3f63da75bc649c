package address

import (
	"strings"

	"golang.org/x/net/idna"
)

// zeroWidth are the non-joiner and the joiner. Names in Persian, Sinhala, Hindi and Malayalam need them;
// anywhere else they make a second name that looks like the first.
const zeroWidth = "\u200c\u200d"

func isZeroWidth(r rune) bool { return strings.ContainsRune(zeroWidth, r) }

// joiners applies the rules for the context of joiners (RFC 5892 §A.1, §A.2), and no other.
var joiners = idna.New(idna.CheckJoiners(true))

// joinersFit reports whether each joiner of a local part stands where a script needs it, as PRECIS has it
// (RFC 8264 §9). Punctuation ends a context: a rule looks at letters that are joined.
func joinersFit(local string) bool {
	if !strings.ContainsAny(local, zeroWidth) {
		return true
	}
	for part := range strings.FieldsFuncSeq(local, func(r rune) bool { return r < 0x80 && !isLetDig(byte(r)) }) {
		if !strings.ContainsAny(part, zeroWidth) {
			continue
		}
		if _, err := joiners.ToUnicode(part); err != nil {
			return false
		}
	}
	return true
}
