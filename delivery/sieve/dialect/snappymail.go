package dialect

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// snappymail writes as SnappyMail and RainLoop do (dev/Sieve/Model/Script.js): each filter's own form in a comment
// before it, filters that are off in a comment themselves.
func (m *maker) snappymail() string {
	s := &script{}
	s.WriteString("# This is SnappyMail sieve script.\r\n# Please don't change anything here.\r\n# RAINLOOP:SIEVE\r\n\r\n")
	for i := range 1 + m.IntN(4) {
		disabled := m.percent(15)
		fmt.Fprintf(s, "/*\r\nBEGIN:FILTER:%d\r\nBEGIN:HEADER\r\n%sEND:HEADER\r\n*/\r\n", i,
			base64.StdEncoding.EncodeToString([]byte(`{"@Object":"Object/Filter"}`)))
		if disabled {
			s.WriteString("/* @Filter is disabled \r\n")
		} else {
			s.WriteString("\r\n")
		}
		s.WriteString(m.snappymailFilter(s) + "\r\n")
		if disabled {
			s.WriteString("*/\r\n")
		} else {
			s.WriteString("\r\n")
		}
		s.WriteString("/* END:FILTER */\r\n\r\n")
	}
	head := "\r\n"
	if len(s.required) > 0 {
		head = "require [" + quoteAll(s.required, ",") + "];\r\n\r\n"
	}
	return head + s.String()
}

func (m *maker) snappymailFilter(s *script) string {
	var lines, tests []string
	for range m.IntN(4) {
		tests = append(tests, m.snappymailTest(s))
	}
	indent := "    "
	switch {
	case len(tests) > 1:
		lines = append(lines, "if "+m.one("anyof", "allof")+"(", indent+strings.Join(tests, ",\r\n"+indent), ")", "{")
	case len(tests) == 1:
		lines = append(lines, "if "+tests[0], "{")
	default:
		indent = ""
	}
	if m.percent(30) {
		s.require("imap4flags")
		lines = append(lines, indent+`addflag "\\Seen";`)
	}
	lines = append(lines, m.snappymailAction(s, indent)...)
	if m.percent(60) {
		lines = append(lines, indent+"stop;")
	}
	if len(tests) > 0 {
		lines = append(lines, "}")
	}
	return strings.Join(lines, "\r\n")
}

func (m *maker) snappymailTest(s *script) string {
	l, not := m.mail, m.maybe(25, "not ")
	match := m.one("is", "contains", "contains", "regex")
	if match == "regex" {
		s.require("regex")
		not = ""
	}
	switch m.IntN(7) {
	case 0:
		return "/* @Error: empty condition value */ false"
	case 1:
		s.require("body")
		return "body :" + m.one("text", "raw") + " :contains " + quote(m.key(m.one(strings.Split(l.body, "\n")...)))
	case 2:
		return "size :" + m.one("over", "under") + " " + m.one("100", "1K", "2M")
	case 3:
		return not + "header :" + match + ` ["To", "CC"] ` + m.one(quote(m.keyFor(match, l.to)),
			"["+quoteAll([]string{m.keyFor(match, l.to), m.keyFor(match, l.from)}, ", ")+"]")
	case 4:
		return not + "header :" + match + ` ["From"] ` + quote(m.keyFor(match, l.from))
	case 5:
		return not + "header :" + match + " [" + quote(m.one(headers...)) + "] " + quote(m.keyFor(match, l.listID))
	}
	return not + "header :" + match + ` ["Subject"] ` + quote(m.keyFor(match, l.subject))
}

func (m *maker) snappymailAction(s *script, indent string) []string {
	switch m.IntN(8) {
	case 0:
		return nil
	case 1:
		return []string{indent + "discard;"}
	case 2:
		s.require("vacation")
		return []string{fmt.Sprintf("%svacation :days %d %s%s%s;", indent, 1+m.IntN(10),
			m.maybe(50, `:addresses ["alice@example.org", "a@example.org"] `), m.maybe(50, `:subject "Away \"now\"" `), quote(m.answer()))}
	case 3:
		s.require("reject")
		return []string{indent + "reject " + quote(m.one("no", "not \\ here")) + ";"}
	case 4:
		if m.percent(50) {
			s.require("fileinto")
			return []string{indent + `fileinto "INBOX";`, indent + "redirect " + quote(m.target()) + ";"}
		}
		return []string{indent + "redirect " + quote(m.target()) + ";"}
	}
	s.require("fileinto")
	return []string{indent + "fileinto " + quote(m.one(folders...)) + ";"}
}
