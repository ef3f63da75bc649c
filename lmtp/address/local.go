package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrNoKey says that a local part has no key: it can be no mailbox's name, now or later
// (550 5.1.1).
var ErrNoKey = errors.New("local part cannot name a mailbox")

// maxLocal is the longest local part that names a mailbox, in octets, as received and as
// normalized (RFC 5321 §4.5.3.1.1).
const maxLocal = 64

// A LocalPolicy says which spellings of a local part are one mailbox in a domain. The zero
// policy compares in NFC, case by case.
type LocalPolicy struct {
	// Fold maps to lower case.
	Fold bool
	// NFKC unites compatibility forms too, such as full-width letters (RFC 6530 §10.1).
	NFKC bool
}

// Key returns the key by which unquoted local parts are compared. A key is its own key. An
// ASCII local part that is its own key costs no allocation.
//
// Case is mapped by Unicode's toLowercase, free of locale and context, not folded: ß stays
// ß, a capital sigma becomes σ also at the end of a word, and İ becomes i with a combining
// dot. The error wraps ErrNoKey.
func (p LocalPolicy) Key(local string) (string, error) {
	if local == "" || len(local) > maxLocal {
		return "", noKey("length")
	}
	if isASCII(local) {
		for i := range len(local) {
			if isControl(local[i]) {
				return "", noKey("control character")
			}
		}
		if p.Fold {
			return lowerASCII(local), nil
		}
		return local, nil
	}
	if !utf8.ValidString(local) {
		return "", noKey("not valid UTF-8")
	}
	key := p.normalize(local)
	switch {
	case strings.ContainsFunc(local, isHidden) || strings.ContainsFunc(key, isHidden):
		return "", noKey("invisible, private or unassigned code point")
	case !joinersFit(local) || !joinersFit(key):
		return "", noKey("zero-width joiner or non-joiner that no script has there")
	case isASCII(key):
		return "", noKey("non-ASCII spelling of an ASCII name") // the Kelvin sign is no k
	case punctuation(key) > punctuation(local):
		return "", noKey("normalizes to ASCII punctuation")
	case len(key) > maxLocal:
		return "", noKey("length when normalized")
	}
	return key, nil
}

// normalize maps local to its key's form.
func (p LocalPolicy) normalize(local string) string {
	form := norm.NFC
	if p.NFKC {
		form = norm.NFKC
	}
	key := form.String(local)
	if p.Fold {
		key = form.String(toLower(key))
	}
	return key
}

// SplitDetail splits an unquoted local part at the first of the ASCII delimiters, before
// any normalization: a full-width plus separates nothing. A delimiter at the beginning
// does not split, since it would leave no user. ok reports whether it was split; "u1+" is,
// with an empty detail.
func SplitDetail(local, delimiters string) (user, detail string, ok bool) {
	for i := 1; i < len(local); i++ {
		if local[i] < utf8.RuneSelf && strings.IndexByte(delimiters, local[i]) >= 0 {
			return local[:i], local[i+1:], true
		}
	}
	return local, "", false
}

// toLower is Unicode's toLowercase without the context of the final sigma, as UTS #46 maps
// domain names. U+0130 is the one code point whose full mapping differs from the simple.
func toLower(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, "\u0130", "i\u0307"))
}

// isHidden reports whether r is a control, a format character (bidi controls, zero-width
// spaces, U+FEFF), a surrogate, private use, unassigned, a line or paragraph separator
// (RFC 6530 §10.1), or a letter that nothing is drawn for, such as a Hangul filler (RFC 8264
// §9.13). The zero-width joiners have rules of their own: joinersFit.
func isHidden(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point) && !isZeroWidth(r)
}

// punctuation counts the ASCII octets that are neither letters nor digits. Normalization
// must bring in none: one could be a delimiter, a path separator or a quote.
func punctuation(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < utf8.RuneSelf && !isLetDig(s[i]) {
			n++
		}
	}
	return n
}

func noKey(why string) error { return fmt.Errorf("%w: %s", ErrNoKey, why) }
