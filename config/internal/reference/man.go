package reference

import (
	"fmt"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// Man returns the man page doorstep.toml(5), in the man macros. source names the program and its version.
func Man(sections []table.Description, source string, date time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH DOORSTEP.TOML 5 %q %q \"Doorstep\"\n", date.Format("January 2006"), source)
	b.WriteString(".SH NAME\ndoorstep.toml \\- the configuration of doorstep(1)\n")
	b.WriteString(".SH DESCRIPTION\n")
	for _, text := range []string{
		"One TOML file, and the conf.d/*.toml beside it in the order of their names. [[tables]] add up over the files; " +
			"every other key is said once. Keys are case-sensitive.",
		"Sizes are strings with KiB, MiB, GiB or TiB, or plain octets; durations are strings with h, m, s or ms. " +
			"Relative paths resolve against the file that says them.",
		"doorstep check prints every problem at once. doorstep reload puts a changed file in force; keys that are " +
			"\"read when the server starts\" wait for a restart or doorstep upgrade.",
	} {
		b.WriteString(".PP\n" + roff(text) + "\n")
	}
	for _, s := range sections {
		title := "TOP LEVEL"
		if s.Name != "" {
			title = s.Header()
		}
		fmt.Fprintf(&b, ".SH \"%s\"\n%s\n", roff(title), roff(s.Doc))
		for _, k := range s.Rows {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR = %s\n%s\n", roff(k.Name), roff(k.Takes), roff(k.About()))
			switch {
			case k.Required:
				b.WriteString("Required.\n")
			case k.Default != "":
				b.WriteString("Default: " + roff(k.Default) + "\n")
			}
		}
	}
	b.WriteString(".SH FILES\n.TP\n/etc/doorstep/doorstep.toml\nThe default configuration file.\n")
	b.WriteString(".SH EXAMPLE\n.nf\n" + roff(manExample) + "\n.fi\n")
	b.WriteString(".SH SEE ALSO\ndoorstep(1), doorstep\\-serve(8), doorstep\\-check(1), doorstep\\-lookup(1)\n")
	return b.String()
}

const manExample = `hostname = "mail.example.org"

[[listen]]
address = "unix:/run/doorstep/lmtp.sock"
group   = "postfix"

[[domain]]
name = "example.org"

[[user]]
address = "alice@example.org"
aliases = ["postmaster@example.org"]`

// roff escapes text for the man macros.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
