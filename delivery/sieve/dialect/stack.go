package dialect

import (
	"fmt"
	"strings"
)

// stack writes what the global scripts of hosting stacks do: mailcow, Mailu, docker-mailserver, iRedMail, modoboa and
// Mail-in-a-Box. Keys vary, so that messages are on both sides of a test.
func (m *maker) stack() string {
	spam := m.one("X-Spam-Flag", "X-Spam-Status", "X-Spam")
	yes := m.one("YES", "Yes", "yes")
	switch m.IntN(8) {
	case 0: // mailcow: after the user's script
		return "require \"fileinto\";\nrequire \"mailbox\";\nrequire \"variables\";\nrequire \"subaddress\";\n" +
			"require \"envelope\";\nrequire \"duplicate\";\n\nif header :contains " + quote(spam) + " " + quote(yes) +
			" {\n  fileinto \"Junk\";\n}\n\nif allof (\n  envelope :detail :matches \"to\" \"*\",\n" +
			"  header :contains \"X-Moo-Tag\" \"YES\"\n  ) {\n  set :lower :upperfirst \"tag\" \"${1}\";\n" +
			"  if mailboxexists \"INBOX/${1}\" {\n    fileinto \"INBOX/${1}\";\n  } else {\n" +
			"    fileinto :create \"INBOX/${tag}\";\n  }\n}\n\nif duplicate {\n  discard;\n  stop;\n}"
	case 1: // mailcow: before
		return "require [\"mailbox\", \"fileinto\"];\n\nif header :contains [" + quote(m.one("Chat-Version", spam)) +
			"] [\"\"] {\n  if mailboxexists \"DeltaChat\" {\n    fileinto \"DeltaChat\";\n  } else {\n" +
			"    fileinto :create \"DeltaChat\";\n  }\n  stop;\n}\n"
	case 2:
		return m.mailu()
	case 3: // docker-mailserver: the subject of spam
		return "require [\"editheader\",\"variables\",\"fileinto\"];\n\nif anyof (header :contains " + quote(spam) + " " +
			quote(yes) + ",\n          header :contains \"X-Priority\" \"1\")\n{\n    if header :matches \"Subject\" \"*\" {\n" +
			"        set \"subject\" \"${1}\";\n    }\n    deleteheader \"Subject\";\n" +
			"    addheader :last \"Subject\" \"***SPAM*** ${subject}\";\n}\n" +
			"if header :matches \"Subject\" \"***SPAM*** *\" { fileinto \"${1}\"; }\n" + // stars that are wildcards, as written
			"if header :contains \"Subject\" \"***SPAM*** \" { fileinto \"Junk\"; }\n"
	case 4: // docker-mailserver: spam goes to its folder
		return "require [\"fileinto\",\"special-use\"];\n\nif anyof (header :contains " + quote(spam) + " " + quote(yes) +
			",\n          header :contains \"X-Spam\" \"Yes\") {\n    fileinto :specialuse \"\\\\Junk\" \"Junk\";\n}\n"
	case 5: // iRedMail
		return "require [\"fileinto\"];\n\n# rule:[Move Spam to Junk Folder]\nif header :is " + quote(spam) + " " +
			quote(yes) + "\n{\n    fileinto \"Junk\";\n}\n"
	case 6: // modoboa
		return "require \"fileinto\";\nif header :contains \"X-Spam-Status\" " + quote(yes) +
			" {\n    fileinto \"Junk\";\n}\n"
	}
	return "require [\"regex\", \"fileinto\", \"imap4flags\"];\n\nif allof (header :regex \"X-Spam-Status\" \"^" + yes +
		"\") {\n  fileinto \"Spam\";\n  stop;\n}\n"
}

// mailu is the script that Mailu renders for each user.
func (m *maker) mailu() string {
	var b strings.Builder
	for _, e := range []string{
		"variables", "vacation", "fileinto", "envelope", "mailbox", "imap4flags", "regex", "relational", "date",
		"comparator-i;ascii-numeric", "editheader", "index",
	} {
		b.WriteString("require " + quote(e) + ";\n")
	}
	b.WriteString("\nif header :index " + fmt.Sprint(1+m.IntN(3)) +
		" :matches \"Received\" \"from * by * for <*>; *\"\n{\n  deleteheader \"Delivered-To\";\n" +
		"  addheader \"Delivered-To\" \"<${3}>\";\n}\n\n" +
		"if address :is \"Delivered-To\" \"alice@example.org\" { addflag \"$own\"; }\n")
	if m.percent(50) {
		b.WriteString("if header :value \"gt\" :comparator \"i;ascii-numeric\" \"X-Spam-Score\" " +
			quote(m.one("5", "50")) + "\n{\n  setflag \"\\\\seen\";\n  fileinto :create \"Junk\";\n  stop;\n}\n")
	}
	b.WriteString("if not address :localpart :contains [\"From\",\"Reply-To\"] [\"noreply\",\"no-reply\"]{\n" +
		"  vacation :days 1 " +
		m.maybe(50, ":from \"\\\"Alice A.\\\" <alice@example.org>\" ") + ":subject " + quote(m.one("Away", "Grüße")) + " " +
		quote(m.answer()) + ";\n}\n")
	return b.String()
}
