package dialect

import (
	"fmt"
	"strings"
)

// sievelib writes as the Python library of that name does (sievelib/factory.py), which modoboa has: a name before each
// filter, and always a list of tests.
func (m *maker) sievelib() string {
	s := &script{}
	for i := range 1 + m.IntN(4) {
		fmt.Fprintf(s, "# Filter: rule %d\n", i)
		var tests []string
		for range 1 + m.IntN(3) {
			tests = append(tests, m.sievelibTest(s))
		}
		test := m.one("anyof", "allof") + " (" + strings.Join(tests, ", ") + ")"
		if m.percent(10) { // one that is off
			fmt.Fprintf(s, "if false {\n    if %s {\n        stop;\n    }\n}\n", test)
			continue
		}
		s.WriteString("if " + test + " {\n")
		for range 1 + m.IntN(2) {
			s.WriteString("    " + m.sievelibAction(s) + ";\n")
		}
		s.WriteString("}\n")
	}
	if len(s.required) == 0 {
		return s.String()
	}
	return "require [" + quoteAll(s.required, ", ") + "];\n\n" + s.String()
}

func (m *maker) sievelibTest(s *script) string {
	l, not := m.mail, m.maybe(25, "not ")
	match := m.one("is", "contains", "matches")
	switch m.IntN(9) {
	case 0:
		return m.one("true", "false")
	case 1:
		return not + "size :" + m.one("over", "under") + " " + m.one("100k", "1K", "10")
	case 2:
		return not + "exists [" + quoteAll(m.some(1+m.IntN(3), headers...), ", ") + "]"
	case 3:
		s.require("envelope")
		return not + "envelope :" + match + " [" + quote(m.one("To", "From")) + "] [" +
			quote(m.keyFor(match, m.one(l.envelopeFrom, l.envelopeTo))) + "]"
	case 4:
		return not + "address :" + match + " " + quote(m.one("From", "To", "Cc")) + " [" +
			quote(m.keyFor(match, l.from)) + "]"
	case 5:
		s.require("body")
		return not + "body :" + m.one("raw", "text") + " :" + match + " [" +
			quote(m.keyFor(match, m.one(strings.Split(l.body, "\n")...))) + "]"
	case 6:
		s.require("date", "relational")
		return not + `currentdate :zone "+0100" :value "` + m.one("ge", "le") + `" "date" ["` + m.one("2019-03-27", "2919-03-27") + `"]`
	}
	return not + "header :" + match + " " + quote(m.one("Subject", "Sender", "List-Id")) + " " +
		quote(m.keyFor(match, l.subject))
}

func (m *maker) sievelibAction(s *script) string {
	switch m.IntN(7) {
	case 0, 1:
		s.require("fileinto")
		create := ""
		if m.percent(20) {
			s.require("mailbox")
			create = ":create "
		}
		return "fileinto " + m.copy(s) + create + quote(m.one(folders...))
	case 2:
		return "redirect " + m.copy(s) + quote(m.target())
	case 3:
		s.require("reject")
		return "reject " + quote(m.one("no", "why?"))
	case 4:
		s.require("imap4flags")
		return m.one("addflag", "setflag") + " [" + quoteAll(m.some(2, flags...), ", ") + "]"
	case 5:
		s.require("vacation")
		return "vacation " + m.one(":days 7 ", ":subject \"Away\" ", `:addresses ["alice@example.org"] `) + quote(m.answer())
	}
	return m.one("keep", "discard", "stop")
}
