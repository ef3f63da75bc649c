package lmtp

import (
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// A parameter of MAIL or RCPT as it was sent (RFC 5321 §4.1.2: esmtp-param).
type parameter struct {
	keyword  string // upper case
	value    string
	hasValue bool
}

// A param is a row of a parameter table: how a keyword is understood, and into what.
type param[T any] struct {
	keyword string
	// apply takes the value. The zero Reply is success.
	apply func(o offer, into *T, p parameter) Reply
	// syntax is the enhanced code for a value that is repeated; "" is the usual 5.5.4.
	syntax string
	// offered says whether the extension is; nil: always. Else the keyword is unknown.
	offered func(offer) bool
}

// maxParams bounds the parameters of one command; there are fewer keywords than this.
const maxParams = 32

// parseParams reads what stands after a path, and appends it to params.
//
//	*( SP esmtp-keyword ["=" esmtp-value] )
func parseParams(params []parameter, s string) ([]parameter, bool) {
	for s != "" {
		if s[0] != ' ' || len(params) == maxParams {
			return nil, false
		}
		s = strings.TrimLeft(s, " ") // more than one space is seen in the wild
		if s == "" {
			break
		}
		word := s
		if end := strings.IndexByte(s, ' '); end >= 0 {
			word = s[:end]
		}
		s = s[len(word):]
		keyword, value, hasValue := strings.Cut(word, "=")
		if !isKeyword(keyword) || hasValue && !isValue(value) {
			return nil, false
		}
		params = append(params, parameter{wire.Upper(keyword), value, hasValue})
	}
	return params, true
}

// isKeyword: esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
func isKeyword(s string) bool {
	for i := range len(s) {
		b := s[i]
		alnum := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
		if !alnum && (b != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

// isValue: esmtp-value = 1*(%d33-60 / %d62-126), and UTF8-non-ascii where each parameter's
// own grammar takes it (RFC 6531 §3.3).
func isValue(s string) bool {
	for i := range len(s) {
		if b := s[i]; b <= ' ' || b == '=' || b == 0x7f {
			return false
		}
	}
	return s != ""
}

// applyParams understands params by their table. A repeated keyword is an error: which one
// counts is not defined (RFC 5321 §4.1.1.11).
func applyParams[T any](o offer, table []param[T], params []parameter, into *T) Reply {
	for i, p := range params {
		row := findParam(table, p.keyword)
		if row == nil || !o.session.Extended || row.offered != nil && !row.offered(o) {
			return unknownParam(p.keyword)
		}
		for _, earlier := range params[:i] {
			if earlier.keyword == p.keyword {
				repeated := badArgument("parameter " + p.keyword + " is repeated")
				if row.syntax != "" {
					repeated.Enhanced = row.syntax
				}
				return repeated
			}
		}
		if refused := row.apply(o, into, p); refused.Code != 0 {
			return refused
		}
	}
	return Reply{}
}

func findParam[T any](table []param[T], keyword string) *param[T] {
	for i := range table {
		if table[i].keyword == keyword {
			return &table[i]
		}
	}
	return nil
}

// unknownParam answers a parameter that is not recognized or not offered. It is 555, but 504
// for the two parameters whose standard says so (RFC 4141 §4.2, §5.2).
func unknownParam(keyword string) Reply {
	code := 555
	if keyword == "CONPERM" || keyword == "CONNEG" {
		code = 504
	}
	if len(keyword) > 40 {
		keyword = keyword[:40]
	}
	return Reply{Code: code, Enhanced: "5.5.4", Text: "parameter " + keyword + " is not offered"}
}
