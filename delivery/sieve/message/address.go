package message

import "strings"

// An Address is one of a header field (RFC 5322 §3.4), internationalized or not (RFC 6532 §3.2).
type Address struct {
	// Local and Domain are its parts; quoting of the local part is removed, comments too.
	Local, Domain string
	// Text is Local@Domain, with Local quoted if it has to be; for what is no address, all that stands there.
	Text string
	// Valid reports whether it has a local part and a domain.
	Valid bool
	// Name is the phrase before it.
	Name string
}

// maxAddresses bounds the addresses of one field.
const maxAddresses = 4096

// ParseAddresses reads the addresses of a field's value: mailboxes and groups, of which the members count. What is no
// address is one that is not valid, and so is an empty value.
func ParseAddresses(value string) []Address {
	p := addressParser{text: value}
	p.words = p.room[:0]
	p.list()
	if len(p.found) == 0 && !p.group {
		p.found = append(p.found, Address{Text: strings.TrimSpace(value)})
	}
	return p.found
}

// An addressParser takes what people and programs write: it never fails, and passes over what it does not know.
type addressParser struct {
	text  string
	at    int
	found []Address
	group bool // the name of one was seen

	words []string  // of the current element, outside angle brackets
	room  [4]string // for words, of which there are few
	joins bool      // the last word goes on: it ends in a dot or at sign, or stands at one
	start int       // of the current element
}

// list takes elements up to the end.
func (p *addressParser) list() {
	for p.at < len(p.text) && len(p.found) < maxAddresses {
		switch c := p.text[p.at]; {
		case c == ',' || c == ';':
			p.bare()
			p.at++
			p.start = p.at
		case c == '<':
			p.angle()
		case c == ':':
			p.group, p.words, p.joins = true, p.words[:0], false
			p.at++
			p.start = p.at
		default:
			p.word(",;<:")
		}
	}
	p.bare()
}

// word takes the next comment, quoted string, run of white space, or atom, which ends before one of stop.
func (p *addressParser) word(stop string) {
	switch c := p.text[p.at]; c {
	case '(':
		p.comment()
	case '"':
		p.add(p.quoted())
	case ' ', '\t', '\r', '\n':
		p.at++
		if n := len(p.words); n > 0 && !strings.HasSuffix(p.words[n-1], ".") && !strings.HasSuffix(p.words[n-1], "@") {
			p.joins = false
		}
	case '[':
		end := strings.IndexByte(p.text[p.at:], ']')
		if end < 0 {
			end = len(p.text) - p.at - 1
		}
		p.add(p.text[p.at : p.at+end+1])
		p.at += end + 1
	default:
		from := p.at
		for p.at++; p.at < len(p.text) && strings.IndexByte(" \t\r\n(\"[", p.text[p.at]) < 0 &&
			strings.IndexByte(stop, p.text[p.at]) < 0; p.at++ {
		}
		p.add(p.text[from:p.at])
	}
}

// add joins a word to the one before it, or begins another.
func (p *addressParser) add(word string) {
	n := len(p.words)
	if n > 0 && (p.joins || strings.HasPrefix(word, ".") || strings.HasPrefix(word, "@")) {
		p.words[n-1] += word
	} else {
		p.words = append(p.words, word)
	}
	p.joins = true
}

// comment passes over one, and those in it.
func (p *addressParser) comment() {
	for depth := 0; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.at++
				return
			}
		}
	}
	p.at = min(p.at, len(p.text))
}

// quoted returns a quoted string with its quotes.
func (p *addressParser) quoted() string {
	from := p.at
	for p.at++; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			return p.text[from:p.at]
		}
	}
	p.at = len(p.text)
	return p.text[from:]
}

// angle takes an address in angle brackets; the words before it are its name.
func (p *addressParser) angle() {
	name := strings.TrimSpace(p.text[p.start:p.at])
	if strings.ContainsAny(name, "\t\r\n") {
		name = strings.Join(strings.Fields(name), " ")
	}
	p.words, p.joins = p.words[:0], false
	for p.at++; p.at < len(p.text) && p.text[p.at] != '>'; {
		p.word(">")
	}
	p.at = min(p.at+1, len(p.text))
	spec := strings.Join(p.words, " ")
	if route := strings.IndexByte(spec, ':'); strings.HasPrefix(spec, "@") && route >= 0 {
		spec = spec[route+1:] // a source route means nothing (RFC 5322 §4.4)
	}
	p.words, p.joins = p.words[:0], false
	a := addressOf(spec, strings.TrimSpace(p.text[p.start:p.at]))
	a.Name = name
	p.found = append(p.found, a)
	p.skipRest()
}

// skipRest passes over what stands after an address up to the end of its element.
func (p *addressParser) skipRest() {
	for p.at < len(p.text) && p.text[p.at] != ',' && p.text[p.at] != ';' {
		p.word(",;")
	}
	p.words, p.joins = p.words[:0], false
}

// bare ends an element that has no angle brackets.
func (p *addressParser) bare() {
	if len(p.words) > 0 {
		p.found = append(p.found, addressOf(strings.Join(p.words, " "), strings.TrimSpace(p.text[p.start:p.at])))
	}
	p.words, p.joins = p.words[:0], false
}

// addressOf takes an address apart; whole is what stands in the field.
func addressOf(spec, whole string) Address {
	at := strings.LastIndexByte(spec, '@')
	if at <= 0 || at == len(spec)-1 || strings.ContainsAny(spec[at:], " \"") {
		return Address{Text: whole}
	}
	local, domain := spec[:at], spec[at+1:]
	if local[0] == '"' {
		if local = unquote(local); strings.HasPrefix(local, `"`) {
			return Address{Text: whole}
		}
	} else if strings.ContainsAny(local, " @") {
		return Address{Text: whole}
	}
	a := Address{Local: local, Domain: domain, Text: spec, Valid: true}
	if spec[0] == '"' {
		a.Text = quote(local) + "@" + domain
	}
	return a
}

// unquote removes the quotes of a quoted string, and the backslashes in it. What is none stays.
func unquote(s string) string {
	if len(s) < 2 || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// EnvelopeAddress takes an address of the envelope apart, as it stands between the angle brackets. It may be a local
// part alone. The null path is a valid address whose parts are empty.
func EnvelopeAddress(path string) Address {
	if strings.IndexByte(path, '@') < 0 {
		return Address{Local: path, Text: path, Valid: true}
	}
	a := addressOf(path, path)
	if !strings.HasPrefix(path, `"`) && strings.ContainsAny(a.Local, " ()<>[]:;@\\,\"") || strings.ContainsAny(a.Domain, "<>") {
		a.Valid = false
	}
	return a
}

// quote returns a local part as it is written: quoted, if it has what an atom and dots cannot have (RFC 5322 §3.4.1).
func quote(local string) string {
	if local != "" && !strings.ContainsAny(local, " \t()<>[]:;@\\,\"") {
		return local
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
}
