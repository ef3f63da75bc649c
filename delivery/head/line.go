package head

import (
	"bytes"
	"regexp"
)

// mboxLine is the line that programs put before a message in an mbox file (RFC 4155): an address and a time as
// asctime(3) writes it. A sentence that begins with "From" is part of the message.
var mboxLine = regexp.MustCompile(`^From +(?:(?:"(?:[^"\\]|\\.)*"[^ ]*|[^ ]+) +)?` +
	`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +[0-9]{1,2} `)

// begin finds where the header begins in the first lines of a message: at the first octet, or after an mbox line.
// There is none where the first line continues another, or no line before the empty one looks like a field.
func begin(lines []byte) (from int, found bool) {
	if bytes.HasPrefix(lines, []byte("From ")) && fieldName(lines) == nil {
		if n := bytes.IndexByte(lines, '\n') + 1; n > 0 && mboxLine.Match(lines[:n]) {
			return n, hasField(lines[n:])
		}
	}
	return 0, hasField(lines)
}

// hasField reports whether lines are a header. Lines before its first field do no harm.
func hasField(lines []byte) bool {
	if len(lines) > 0 && isSpace(lines[0]) {
		return false
	}
	for len(lines) > 0 {
		if fieldName(lines) != nil {
			return true
		}
		n := bytes.IndexByte(lines, '\n') + 1
		if n == 0 {
			return false
		}
		lines = lines[n:]
	}
	return false
}

// firstField is the length of the first field in lines, with the lines that continue it.
func firstField(lines []byte) int {
	for n := 0; ; {
		i := bytes.IndexByte(lines[n:], '\n') + 1
		n += i
		if i == 0 || n == len(lines) {
			return len(lines)
		}
		if !isSpace(lines[n]) {
			return n
		}
	}
}

// lastField is where the last field in lines begins.
func lastField(lines []byte) int {
	for n := len(lines); ; {
		n = bytes.LastIndexByte(lines[:max(n-1, 0)], '\n') + 1
		if n == 0 || !isSpace(lines[n]) {
			return n
		}
	}
}

// fieldName returns the name of the header field that begins with line, nil if it begins none.
//
//	field-name = 1*(%d33-57 / %d59-126), and white space before the colon (obs-optional)
func fieldName(line []byte) []byte {
	name, _, ok := bytes.Cut(line[:min(len(line), maxName)], []byte(":"))
	name = bytes.TrimRight(name, " \t")
	if !ok || len(name) == 0 {
		return nil
	}
	for _, b := range name {
		if b <= ' ' || b > '~' {
			return nil
		}
	}
	return name
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' }

func isEmptyLine(line []byte) bool { return string(line) == "\r\n" || string(line) == "\n" }

// isOfAttempt reports whether a field says when a message is delivered: Exim writes Delivery-date at each attempt
// (delivery_date_add).
func isOfAttempt(name []byte) bool { return bytes.EqualFold(name, []byte("Delivery-date")) }
