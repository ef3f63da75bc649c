package dialect

import (
	"fmt"
	"strings"
)

// sogo writes as SOGo does (SoObjects/SOGo/SOGoSieveManager.m): filters, then the vacation, then what is forwarded and
// notified.
func (m *maker) sogo() string {
	s := &script{}
	for range m.IntN(4) {
		m.sogoFilter(s)
	}
	if m.percent(50) {
		m.sogoVacation(s)
	}
	if m.percent(30) {
		for _, to := range m.some(1+m.IntN(2), "carol@example.net", "dave@example.net") {
			fmt.Fprintf(s, "redirect \"%s\";\r\n", to)
		}
		s.WriteString(m.maybe(50, "keep;\r\n"))
	}
	if m.percent(25) {
		s.require("enotify", "variables")
		s.WriteString("if header :matches \"subject\" \"*\" {\r\n  set \"subject\" \"${1}\";\r\n}\r\n" +
			"if header :matches \"From\" \"*<*>\" {\r\n  set \"from\" \"${1} ${2}\";\r\n}\r\n" +
			"set :encodeurl \"body_param\" \"" + m.one("New mail", "Neue Nachricht: 100%", "é") + "\";\r\n" +
			"notify :message \"New mail: '${subject}' from: ${from}\" \"mailto:" + m.target() + "?body=${body_param}\";\r\n")
	}
	if len(s.required) == 0 {
		return s.String()
	}
	return "require [" + quoteAll(s.required, ",") + "];\r\n" + s.String()
}

// sogoString writes a text of several lines as a block, with the ends of lines as SOGo has them.
func sogoString(text string) string {
	if !strings.Contains(text, "\n") {
		return quote(text)
	}
	return strings.Replace(block(text, "\n"), "text:\n", "text:\r\n", 1)
}

func (m *maker) sogoFilter(s *script) {
	indent := "    "
	match := m.one("all", "any", "any", "")
	if match != "" {
		var rules []string
		for range 1 + m.IntN(3) {
			rules = append(rules, m.sogoRule(s))
		}
		fmt.Fprintf(s, "if %sof (%s) {\r\n", match, strings.Join(rules, ", "))
	}
	var actions []string
	for range 1 + m.IntN(3) {
		actions = append(actions, m.sogoAction(s))
	}
	s.WriteString(indent + strings.Join(actions, ";\r\n"+indent) + ";\r\n")
	if match != "" {
		s.WriteString("}\r\n")
	}
}

func (m *maker) sogoRule(s *script) string {
	not, l := m.maybe(20, "not "), m.mail
	match := m.one("is", "contains", "contains", "matches", "regex")
	tag := match
	if match == "regex" {
		s.require("regex")
		tag += ` :comparator "i;octet"`
	}
	switch m.IntN(8) {
	case 0:
		return fmt.Sprintf("%ssize :%s %dK", not, m.one("over", "under"), m.IntN(5))
	case 1:
		s.require("body")
		return fmt.Sprintf("%sbody :text :%s %s", not, tag,
			sogoString(m.keyFor(match, m.one(strings.Split(l.body, "\n")...))))
	case 2, 3, 4:
		field := m.one(`"to"`, `"cc"`, `["to", "cc"]`, `"from"`)
		of := m.one(l.from, l.to)
		return fmt.Sprintf("%saddress :%s %s %s", not, tag, field, sogoString(m.keyFor(match, of)))
	case 5:
		return fmt.Sprintf("%sheader :%s %s %s", not, tag, quote(m.one("X-Spam-Flag", "List-Id", "X-Priority")),
			sogoString(m.keyFor(match, m.one("YES", l.listID, "1"))))
	}
	return fmt.Sprintf("%sheader :%s \"subject\" %s", not, tag, sogoString(m.keyFor(match, l.subject)))
}

func (m *maker) sogoAction(s *script) string {
	switch m.IntN(9) {
	case 0, 1:
		s.require("imap4flags")
		return "addflag " + quote(m.one(flags...))
	case 2, 3, 4:
		s.require("fileinto")
		// folders are in modified UTF-7 unless SOGoSieveFolderEncoding says otherwise
		return "fileinto " + quote(m.one("INBOX/Bills", "Entw&APw-rfe", "R&-D", "Junk", "a/b/c"))
	case 5:
		return "redirect " + quote(m.target())
	case 6:
		s.require("reject")
		return "reject " + sogoString(m.one("no", "no,\nthanks"))
	}
	return m.one("keep", "discard", "stop")
}

func (m *maker) sogoVacation(s *script) {
	s.require("vacation")
	var conditions []string
	if m.percent(50) {
		conditions = append(conditions,
			`not exists ["list-help", "list-unsubscribe", "list-subscribe", "list-owner", "list-post", "list-archive", `+
				`"list-id", "Mailing-List"]`,
			`not header :comparator "i;ascii-casemap" :is "Precedence" ["list", "bulk", "junk"]`,
			`not header :comparator "i;ascii-casemap" :matches "To" "Multiple recipients of*"`)
	}
	if m.percent(50) {
		s.require("date", "relational")
		conditions = append(conditions, `currentdate :value "ge" "date" "`+m.one("2020-01-01", "2990-01-01")+`"`)
	}
	if m.percent(50) {
		s.require("date", "relational")
		conditions = append(conditions, `currentdate :value "le" "date" "`+m.one("2020-01-01", "2990-01-01")+`"`)
	}
	if m.percent(40) {
		s.require("date", "relational")
		zone := m.one("+0100", "-0330", "+0000")
		from := fmt.Sprintf(`date :value "ge" :zone "%s" "date" "time" "%s:00"`, zone, m.one("08:00", "17:30"))
		to := fmt.Sprintf(`date :value "lt" :zone "%s" "date" "time" "%s:00"`, zone, m.one("12:00", "23:00"))
		if m.percent(50) {
			conditions = append(conditions, "anyof ( "+from+", "+to+" )")
		} else {
			conditions = append(conditions, from, to)
		}
	}
	if m.percent(20) {
		s.require("date")
		conditions = append(conditions, `currentdate :is "weekday" ["0", "1", "2", "3", "4", "5", "6"]`)
	}
	if len(conditions) > 0 {
		fmt.Fprintf(s, "if allof ( %s ) { ", strings.Join(conditions, ", "))
	}
	subject := ""
	if m.percent(50) {
		subject = ` :subject "Auto: ${subject}"`
		s.require("variables")
		s.WriteString(`if header :matches "Subject" "*" { set "subject" "${1}"; } `)
	}
	fmt.Fprintf(s, "vacation :days %d%s :addresses [%s] ", m.IntN(8), subject,
		quoteAll(m.some(1+m.IntN(2), "alice@example.org", "alice@example.net"), ", "))
	s.WriteString(strings.Replace(block(m.answer(), "\n"), "text:\n", "text:\r\n", 1) + ";\r\n")
	s.WriteString(m.maybe(20, "discard;\r\n"))
	if len(conditions) > 0 {
		s.WriteString("}\r\n")
	}
}
