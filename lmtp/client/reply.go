package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Reply is one answer of the server, of one or more lines. The zero Reply means that none came.
type Reply struct {
	Code     int      // 200-559 (RFC 5321 §4.2)
	Enhanced string   // "2.1.5", or "" where the server sent none (RFC 2034)
	Lines    []string // the texts, without code and enhanced code; at least one
}

// Positive reports whether the server did what it was asked to (2xx).
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Temporary reports whether the server refused for now (4xx).
func (r Reply) Temporary() bool { return r.Code/100 == 4 }

// Permanent reports whether the server refused for good (5xx).
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// String returns the reply on one line: "550 5.1.1 no such mailbox"; "no reply" for the zero Reply.
func (r Reply) String() string {
	if r.Code == 0 {
		return "no reply"
	}
	words := []string{strconv.Itoa(r.Code)}
	if r.Enhanced != "" {
		words = append(words, r.Enhanced)
	}
	if text := strings.Join(r.Lines, " / "); text != "" {
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

// A ReplyError is a command that the server refused.
type ReplyError struct {
	Command string // "LHLO", "RSET", …; "greeting" for the connection itself
	Reply   Reply
}

// Error returns the command and the reply.
func (e *ReplyError) Error() string { return e.Command + ": server replied " + e.Reply.String() }

// parseReplyLine takes apart one line of a reply, without its CRLF (RFC 5321 §4.2):
//
//	Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
//
// Texts may hold octets above 127, which servers do send, but no control characters: they
// end up on terminals and in logs.
func parseReplyLine(line string) (code int, more bool, text string, err error) {
	if len(line) < 3 || !isReplyCode(line[:3]) {
		return 0, false, "", fmt.Errorf("reply line %s does not begin with a reply code", excerpt(line))
	}
	code, _ = strconv.Atoi(line[:3]) // three digits
	if len(line) == 3 {
		return code, false, "", nil
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, "", fmt.Errorf("reply line %s has neither space nor hyphen after its code", excerpt(line))
	}
	text = line[4:]
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return 0, false, "", fmt.Errorf("reply line %s has a control character", excerpt(line))
		}
	}
	return code, line[3] == '-', text, nil
}

// isReplyCode: Reply-code = %x32-35 %x30-35 %x30-39 (RFC 5321 §4.2).
func isReplyCode(s string) bool {
	return s[0] >= '2' && s[0] <= '5' && s[1] >= '0' && s[1] <= '5' && isDigit(s[2])
}

// add appends one parsed line to the reply.
func (r *Reply) add(code int, text string) error {
	if r.Code != 0 && r.Code != code {
		return fmt.Errorf("reply has lines of code %d and of code %d", r.Code, code)
	}
	enhanced, rest := cutEnhanced(code, text)
	switch {
	case r.Code == 0:
		r.Code, r.Enhanced, text = code, enhanced, rest
	case enhanced != "" && enhanced == r.Enhanced:
		text = rest
	}
	if len(r.Lines) == maxReplyLines {
		return errors.New("reply has more than " + strconv.Itoa(maxReplyLines) + " lines")
	}
	r.Lines = append(r.Lines, text)
	return nil
}

// cutEnhanced separates an enhanced status code from the text after it (RFC 2034 §4): the
// class is the first digit of the basic code, subject and detail have up to three digits
// (RFC 3463 §2).
func cutEnhanced(code int, text string) (enhanced, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || parts[0] != strconv.Itoa(code/100) || parts[0] == "3" {
		return "", text
	}
	for _, p := range parts[1:] {
		if len(p) == 0 || len(p) > 3 || strings.ContainsFunc(p, func(c rune) bool { return c < '0' || c > '9' }) {
			return "", text
		}
	}
	return word, rest
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// excerpt quotes the beginning of a line for an error text.
func excerpt(line string) string {
	const most = 60
	return address.Readable(strconv.Quote(address.Cut(line, most)))
}
