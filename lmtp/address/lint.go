package address

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
)

// Warnings says what is unwise about an address that an administrator hands out: names
// that systems elsewhere refuse (RFC 8265), and names that pass for others (UTS #39).
// Nothing of this is applied at delivery, where an address exists or does not.
func Warnings(a Address) []string {
	var w []string
	if !isUsername(a.Local) {
		w = append(w, "local part: not a username by PRECIS UsernameCaseMapped (RFC 8265)")
	}
	if hasALabelAtom(a.Local) {
		w = append(w, "local part: xn-- has no meaning outside a domain")
	}
	w = append(w, markWarnings(a.Local)...)
	w = append(w, scriptWarnings("local part", a.Local)...)
	if a.IsLiteral() {
		return w
	}
	for label := range strings.SplitSeq(a.Domain, ".") {
		u, err := toULabel(label)
		if err != nil {
			u = label
		}
		if foldsTo(u[:min(len(u), 4)], "xn--") {
			w = append(w, "domain label: "+u+" is no A-label of IDNA2008, such as one of an emoji: its Unicode form is refused")
		}
		w = append(w, scriptWarnings("domain label", u)...)
	}
	return w
}

// markWarnings finds marks that a reader of the name cannot see, or sees on the wrong letter.
func markWarnings(local string) (w []string) {
	if strings.ContainsFunc(local, func(r rune) bool { return unicode.Is(unicode.Variation_Selector, r) }) {
		w = append(w, "local part: has a variation selector, which is not drawn; without it, the name is another "+
			"one")
	}
	for atom := range strings.SplitSeq(local, ".") {
		if first, _ := utf8.DecodeRuneInString(atom); unicode.Is(unicode.M, first) {
			w = append(w, "local part: begins with a combining mark, which is drawn on what stands before (RFC 5891 §4.2.3.2)")
		}
	}
	return w
}

// username is UsernameCaseMapped (RFC 8265 §3.3) but for its directionality rule, which
// precis applies to left-to-right names too: it would refuse 1é.
var username = precis.NewIdentifier(precis.FoldWidth, precis.LowerCase())

// isUsername reports whether local fulfills UsernameCaseMapped.
func isUsername(local string) bool {
	_, err := username.String(local)
	return err == nil && (bidirule.DirectionString(local) == bidi.LeftToRight || bidirule.ValidString(local))
}

// scriptWarnings judges one name by its scripts.
func scriptWarnings(what, name string) []string {
	if isASCII(name) {
		return nil
	}
	scripts := scriptsOf(name)
	var w []string
	if !writtenTogether(scripts) {
		w = append(w, fmt.Sprintf("%s: mixes the scripts %s (UTS #39 §5.2)", what, strings.Join(scripts, ", ")))
	}
	if looksLatin(name) {
		w = append(w, fmt.Sprintf("%s: every letter is %s and looks like a Latin one (UTS #39 §4)", what, scripts[0]))
	}
	return w
}

// together lists the scripts that one language writes in one word, as the highly
// restrictive level of UTS #39 §5.2 does.
var together = [...][]string{
	{"Latin", "Han", "Hiragana", "Katakana"}, // Japanese
	{"Latin", "Han", "Bopomofo"},             // Chinese
	{"Latin", "Han", "Hangul"},               // Korean
}

// writtenTogether reports whether scripts are one script, or scripts of one language.
func writtenTogether(scripts []string) bool {
	if len(scripts) <= 1 {
		return true
	}
	for _, allowed := range together {
		if subset(scripts, allowed) {
			return true
		}
	}
	return false
}

// subset reports whether every element of s is in of.
func subset(s, of []string) bool {
	for _, name := range s {
		if !slices.Contains(of, name) {
			return false
		}
	}
	return true
}

// scriptsOf names the scripts of s in the order in which they appear. Digits, punctuation
// and marks that several scripts share belong to none.
func scriptsOf(s string) []string {
	var scripts []string
	for _, r := range s {
		name := scriptOf(r)
		if name != "" && !slices.Contains(scripts, name) {
			scripts = append(scripts, name)
		}
	}
	return scripts
}

// scriptOf names the script of r, "" for one that is common to several.
func scriptOf(r rune) string {
	if unicode.In(r, unicode.Common, unicode.Inherited) {
		return ""
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// latinLookalikes are the small letters that common fonts draw like Latin ones. The table
// is short on purpose: it finds paypal written in Cyrillic, not every lookalike of UTS #39.
const latinLookalikes = "асԁеһіјӏорԛѕԝху" + // Cyrillic
	"αγινορσυ" // Greek

// looksLatin reports whether name has letters, none of them Latin, and all of them
// lookalikes of Latin ones.
func looksLatin(name string) bool {
	letters := 0
	for _, r := range toLower(name) {
		switch {
		case !unicode.IsLetter(r):
		case r < utf8.RuneSelf || !strings.ContainsRune(latinLookalikes, r):
			return false
		default:
			letters++
		}
	}
	return letters > 0
}

// hasALabelAtom reports whether an atom of a local part looks like an A-label, as clients
// produce that encode the whole address.
func hasALabelAtom(local string) bool {
	for atom := range strings.SplitSeq(local, ".") {
		if len(atom) >= 4 && foldsTo(atom[:4], "xn--") {
			return true
		}
	}
	return false
}
