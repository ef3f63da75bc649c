package address

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxName is the longest file name, in octets (NAME_MAX).
const maxName = 255

// DiskName returns the file name for a local part's key: NFC, in UTF-8, with percent escapes
// for "/", a leading ".", "%", controls, format characters such as bidi controls, line and
// paragraph separators, and octets that are not UTF-8. The result is one path component:
// never empty, "." or "..", without "/" and NUL, at most 255 octets.
//
// Different keys have different names. A key has at most 64 octets, so that its name fits;
// of anything longer than fits, the name keeps the beginning and ends in "%-" and a
// SHA-256, which no escape looks like. The empty local part, which is no key, is "%".
func DiskName(local string) string {
	if isOwnName(local) {
		return local
	}
	local = norm.NFC.String(local)
	if local == "" {
		return "%"
	}
	var b strings.Builder
	const hash = len("%-") + 2*sha256.Size
	cut := 0 // where the beginning ends that leaves room for a hash
	escaped := false
	for i := 0; i < len(local); {
		r, n := utf8.DecodeRuneInString(local[i:])
		// A mark after an escape would compose with its last hex digit on a file system
		// that normalizes.
		escaped = i == 0 && r == '.' || isUnsafeName(r, n) || escaped && unicode.Is(unicode.M, r)
		if escaped {
			for _, c := range []byte(local[i : i+n]) {
				writeHex(&b, '%', c)
			}
		} else {
			b.WriteString(local[i : i+n])
		}
		if b.Len() <= maxName-hash {
			cut = b.Len()
		}
		i += n
	}
	if b.Len() <= maxName {
		return b.String()
	}
	sum := sha256.Sum256([]byte(local))
	return b.String()[:cut] + "%-" + hex.EncodeToString(sum[:])
}

// isOwnName reports whether a key is its own name, as nearly all of them are: printable ASCII
// without anything that is escaped.
func isOwnName(local string) bool {
	for i := range len(local) {
		if c := local[i]; c < ' ' || c > '~' || c == '/' || c == '%' {
			return false
		}
	}
	return local != "" && local[0] != '.' && len(local) <= maxName
}

// isUnsafeName reports whether a code point of n octets is escaped in file names. It must
// not depend on what a Unicode version has yet to assign, or an upgrade would lose mail.
func isUnsafeName(r rune, n int) bool {
	return r == '/' || r == '%' || r == utf8.RuneError && n == 1 ||
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
