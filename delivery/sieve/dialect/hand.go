package dialect

import (
	"fmt"
	"strings"
)

// hand writes scripts as people who know the language do: variables, loops over parts, edits of the header, nested
// tests and blocks.
func (m *maker) hand() string {
	s := &script{}
	for range 1 + m.IntN(4) {
		m.statement(s, 0)
	}
	if len(s.required) == 0 {
		return s.String()
	}
	return "require [" + quoteAll(s.required, ", ") + "];\n" + s.String()
}

// statement writes a command, or an if with its blocks.
func (m *maker) statement(s *script, depth int) {
	indent := strings.Repeat("\t", depth)
	if depth > 2 || m.percent(45) {
		s.WriteString(indent + m.handAction(s) + ";\n")
		return
	}
	switch m.IntN(8) {
	case 0:
		s.require("foreverypart", "mime", "extracttext", "variables")
		fmt.Fprintf(s, "%sforeverypart {\n%s\tif header :mime :type \"content-type\" %s {\n", indent, indent,
			quote(m.one("text", "application")))
		fmt.Fprintf(s, "%s\t\textracttext %s\"part\";\n", indent, m.one("", ":first 10 ", ":upper "))
		m.statement(s, depth+2)
		s.WriteString(indent + "\t\t" + m.maybe(50, "break;") + "\n" + indent + "\t}\n" + indent + "}\n")
		return
	case 1:
		s.require("ihave")
		fmt.Fprintf(s, "%sif ihave %s {\n", indent, quote(m.one("fileinto", "vnd.example.none", "copy")))
	default:
		fmt.Fprintf(s, "%sif %s {\n", indent, m.handTest(s, 0))
	}
	for range m.IntN(3) {
		m.statement(s, depth+1)
	}
	s.WriteString(indent + "}\n")
	for range m.IntN(2) {
		fmt.Fprintf(s, "%selsif %s {\n", indent, m.handTest(s, 0))
		m.statement(s, depth+1)
		s.WriteString(indent + "}\n")
	}
	if m.percent(30) {
		s.WriteString(indent + "else {\n")
		m.statement(s, depth+1)
		s.WriteString(indent + "}\n")
	}
}

// handTest writes a test.
func (m *maker) handTest(s *script, depth int) string {
	l := m.mail
	if depth < 3 {
		switch m.IntN(6) {
		case 0:
			return "not " + m.handTest(s, depth+1)
		case 1:
			return m.one("anyof", "allof") + "(" + m.handTest(s, depth+1) + ", " + m.handTest(s, depth+1) + ")"
		}
	}
	switch m.IntN(12) {
	case 0:
		s.require("variables")
		match := m.one("is", "contains", "matches")
		return fmt.Sprintf(`string :%s "%s" %s`, match, m.one("${a}", "${1}", "x${b}", "${part}", "${0} ${2}"), quote(m.keyFor(match, l.subject)))
	case 1:
		s.require("variables")
		return "header :matches " + quote(m.one("Subject", "From", "List-Id")) + " " +
			quote(m.one("*", "* *", "*<*>*", "[*] *", "?*", "*@*.*", m.glob(l.subject)))
	case 2:
		s.require("variables", "regex")
		return "header :regex " + quote(m.one("Subject", "From")) + " " +
			quote(m.one("^([^ ]+) (.*)$", "([a-z]+)@([a-z.]+)", "(x)?(.*)", "(a|b|(c))+", m.regex(l.subject)))
	case 3:
		s.require("imap4flags")
		if m.percent(30) {
			s.require("relational", "comparator-i;ascii-numeric")
			return `hasflag :count "` + m.one("ge", "eq") + `" :comparator "i;ascii-numeric" "` + m.one("0", "1", "2") + `"`
		}
		return "hasflag " + m.one("", ":contains ", ":matches ") + quote(m.one(`\Seen`, "\\seen", "$label1", "junk", "*", "a b"))
	case 4:
		s.require("mailbox")
		return "mailboxexists " + quote(m.one("INBOX", "None", "Archive"))
	case 5:
		s.require("date")
		return "date" + m.one("", " :originalzone", ` :zone "+0530"`) + m.dateMatch(s, quote(m.one("date", "received", "x-none")))
	case 6:
		s.require("encoded-character")
		return `header :contains "subject" "` + m.one("${hex:41}", "${unicode:20AC}", "${hex: 49 6e}", "${unicode:xyz}", "${hex:c3 bc}", "${hex:49") + `"`
	case 7:
		s.require("envelope", "subaddress")
		return "envelope :" + m.one("detail", "user", "all", "domain") + " :matches " + quote(m.one("to", "from")) + " " +
			quote(m.one("*", "lists", "alice*", "*.org", ""))
	case 8:
		s.require("environment")
		return `environment :` + m.one("contains", "is") + ` "` + m.one("x-none", "phase") + `" ` + quote(m.one("", "x"))
	case 9:
		s.require("relational", "comparator-i;ascii-numeric")
		return fmt.Sprintf(`%s :count "%s" :comparator "i;ascii-numeric" [%s] "%d"`, m.one("header", "address"),
			m.one("ge", "eq", "lt"), m.one(`"to"`, `"from"`, `"to", "cc"`), m.IntN(4))
	}
	return m.roundcubeTest(s)
}

// handAction writes a command without a block.
func (m *maker) handAction(s *script) string {
	switch m.IntN(10) {
	case 0, 1:
		s.require("variables")
		return "set " + m.one("", ":lower ", ":upper :length ", ":quotewildcard ", ":upperfirst ", ":length ") +
			quote(m.one("a", "b", "A")) + " " +
			quote(m.one("${1}", "${a}${b}", "${2}-${0}", "${a}x", "${unknown}", "$", "${", "é${1}", m.phrase(2)))
	case 2:
		s.require("fileinto", "variables")
		return "fileinto " + m.copy(s) + quote(m.one("${a}", "Lists/${1}", "x${b}", "f${part}"))
	case 3:
		s.require("imap4flags", "fileinto")
		return "fileinto :flags " + m.one(`"\\Seen"`, `["a", "b a"]`, `""`, `"bad(flag ok"`) + " " + quote(m.one(folders...))
	case 4:
		s.require("imap4flags")
		return m.one("addflag", "removeflag", "setflag") + " " + m.one(`"\\Seen \\Flagged"`, `["$x", "", "  $y  $x"]`, `"\\SEEN"`,
			`"\\Unknown"`, `"b"`)
	case 5:
		s.require("imap4flags")
		return "keep :flags " + m.one(`"$x"`, `["\\Seen", "\\Draft"]`)
	case 6:
		s.require("editheader")
		return m.one(`deleteheader "X-Folded"`, `addheader "X-Spam-Flag" "YES"`, `deleteheader :matches "Subject" "*"`,
			`deleteheader :index 1 "Received"`, `addheader :last "X-Priority" "9"`)
	}
	return m.roundcubeAction(s)
}
