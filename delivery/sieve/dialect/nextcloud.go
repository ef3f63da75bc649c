package dialect

import (
	"fmt"
	"strings"
)

// nextcloud writes as Nextcloud Mail does (lib/Service/MailFilter/FilterBuilder.php and OutOfOfficeParser.php):
// sections between separators around what users wrote themselves.
func (m *maker) nextcloud() string {
	const filters = "### Nextcloud Mail: Filters ### DON'T EDIT ###\r\n"
	const responder = "### Nextcloud Mail: Vacation Responder ### DON'T EDIT ###\r\n"
	s, away := &script{}, ""
	for i := range 1 + m.IntN(3) {
		m.nextcloudFilter(s, i)
	}
	head := ""
	if m.percent(40) {
		var list string
		list, away = m.outOfOffice()
		head, away = responder+list+responder, responder+away+responder
	}
	if len(s.required) > 0 {
		head += filters + "require [" + quoteAll(s.required, ", ") + "];\r\n" + filters
	}
	own := m.one("# Hello, this is a test\r\n", "\r\nrequire \"fileinto\";\r\n\r\nif allof(\r\n    address \"From\" "+
		quote(m.mail.from)+",\r\n    header :contains \"Subject\" "+quote(m.key(m.mail.subject))+
		"\r\n){\r\n  fileinto \"Community\";\r\n}\r\n\r\n")
	return head + own + filters + "# FILTER: [{\"name\":\"x\",\"enable\":true}]\r\n" + s.String() + filters + away
}

func (m *maker) nextcloudFilter(s *script, number int) {
	fmt.Fprintf(s, "# Test %d\r\n", number)
	var tests []string
	for range 1 + m.IntN(2) {
		match := m.one("is", "contains", "matches")
		field, of := "header :%s \"Subject\" ", m.mail.subject
		switch m.IntN(3) {
		case 0:
			field, of = "address :%s :all \"From\" ", m.mail.from
		case 1:
			field, of = "address :%s :all \"To\" ", m.mail.to
		}
		var keys []string
		for range 1 + m.IntN(2) {
			keys = append(keys, m.keyFor(match, of))
		}
		tests = append(tests, fmt.Sprintf(field, match)+"["+quoteAll(keys, ", ")+"]")
	}
	if len(tests) > 1 {
		fmt.Fprintf(s, "if %s (%s) {\r\n", m.one("allof", "anyof"), strings.Join(tests, ", "))
	} else {
		s.WriteString("if " + tests[0] + " {\r\n")
	}
	for range 1 + m.IntN(3) {
		switch m.IntN(5) {
		case 0, 1:
			s.require("fileinto")
			s.WriteString("\tfileinto " + quote(m.one(folders...)) + ";\r\n")
		case 2, 3:
			s.require("imap4flags")
			s.WriteString("\taddflag " + quote(m.one("$alice_and_bob", "$test_a", `\Seen`, `\Flagged`, `$projects\reporting`)) + ";\r\n")
		default:
			s.WriteString("\t" + m.one("keep", "stop") + ";\r\n")
		}
	}
	s.WriteString("}\r\n")
}

// outOfOffice returns what the answer to mail requires, and the answer.
func (m *maker) outOfOffice() (required, text string) {
	text = "# DATA: {\"version\":1,\"enabled\":true}\r\n"
	if m.percent(50) {
		required = "require \"variables\";\r\n"
		text += "set \"subject\" \"\";\r\nif header :matches \"subject\" \"*\" {\r\n\tset \"subject\" \"${1}\";\r\n}\r\n"
	}
	start := `currentdate :value "ge" "iso8601" "2022-09-01T23:00:00Z"`
	if m.percent(50) {
		start = "allof(" + start + `, currentdate :value "le" "iso8601" "` + m.one("2922", "2023") + `-09-08T22:59:00Z")`
	}
	text += "if " + start + " {\r\n\tif not anyof(exists \"List-Id\", exists \"List-Unsubscribe\", " +
		"address :all :matches [\"From\", \"Sender\"] [\"noreply@*\", \"no-reply@*\"]) {\r\n\t\tvacation :days 4 :subject " +
		quote(m.one("On vacation", "Re: ${subject}", "Thanks!")) +
		" :addresses [\"Test Test <test@test.example>\", \"alice@example.org\"] " + quote(m.answer()) + ";\r\n\t}\r\n}\r\n"
	return "require \"date\";\r\nrequire \"relational\";\r\n" + required + "require \"vacation\";\r\n", text
}
