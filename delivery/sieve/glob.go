package sieve

import "strings"

// A glob is a pattern of :matches (RFC 5228 §2.7.1): "*" is any octets, "?" one, and a backslash makes the next
// character plain. It is cut at the stars into parts, each of which is looked for after the one before: that takes the
// shortest octets for each star (RFC 5229 §3.2), and never goes back.
type glob struct {
	parts []globPart // one more than there are stars
}

// A globPart is what stands between two stars: texts, with "?" at the offsets between them.
type globPart struct {
	length int
	texts  []globText
	any    []int // the offsets of "?"
}

type globText struct {
	at   int
	text string
}

func parseGlob(pattern string) *glob {
	g := &glob{}
	var part globPart
	var text []byte
	flush := func() {
		if len(text) > 0 {
			part.texts = append(part.texts, globText{part.length - len(text), string(text)})
			text = text[:0]
		}
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			flush()
			g.parts = append(g.parts, part)
			part = globPart{}
		case '?':
			flush()
			part.any = append(part.any, part.length)
			part.length++
		default:
			if c == '\\' && i+1 < len(pattern) {
				i++
			}
			text = append(text, pattern[i])
			part.length++
		}
	}
	flush()
	g.parts = append(g.parts, part)
	return g
}

// match reports whether the pattern is all of a value, and if that is wanted where what the wildcards stand for is, in
// pairs of offsets.
func (g *glob) match(r *Run, s string, wanted bool) (spans []int, ok bool) {
	note := func(p globPart, from, at int) {
		if wanted {
			spans = p.spans(append(spans, from, at), at)
		}
	}
	first, last := g.parts[0], g.parts[len(g.parts)-1]
	if len(g.parts) == 1 {
		return first.spans(nil, 0), len(s) == first.length && first.at(s, 0)
	}
	if !first.at(s, 0) || len(s) < first.length+last.length {
		return nil, false
	}
	end := len(s) - last.length
	if !last.at(s, end) {
		return nil, false
	}
	if wanted {
		spans = first.spans(spans, 0)
	}
	at := first.length
	for _, p := range g.parts[1 : len(g.parts)-1] {
		n := p.find(r, s[at:end])
		if n < 0 {
			return nil, false
		}
		note(p, at, at+n)
		at += n + p.length
	}
	note(last, at, end)
	return spans, true
}

// at reports whether the part stands at an offset.
func (p globPart) at(s string, from int) bool {
	if len(s)-from < p.length {
		return false
	}
	for _, t := range p.texts {
		if s[from+t.at:from+t.at+len(t.text)] != t.text {
			return false
		}
	}
	return true
}

// find returns the first offset at which the part stands, or -1. Its first text is searched for; where that stands the
// others are compared, which the budget pays.
func (p globPart) find(r *Run, s string) int {
	if len(p.texts) == 0 {
		if len(s) < p.length {
			return -1
		}
		return 0
	}
	first := p.texts[0]
	for at := 0; ; at++ {
		n := strings.Index(s[min(at+first.at, len(s)):], first.text)
		if n < 0 || len(s)-at-n < p.length {
			return -1
		}
		at += n
		if len(p.texts) == 1 || p.at(s, at) {
			return at
		}
		if !r.spend(costGlob * p.length) {
			return -1
		}
	}
}

// spans appends where the "?" of the part stand, if the part is at an offset.
func (p globPart) spans(spans []int, from int) []int {
	for _, any := range p.any {
		spans = append(spans, from+any, from+any+1)
	}
	return spans
}
