package address_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestDocumentedEquality holds every row of the table in the manual against the keys.
func TestDocumentedEquality(t *testing.T) {
	page, err := os.ReadFile("../../docs/smtputf8.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "<!-- test: equality -->\n\n")
	if !ok {
		t.Fatal("no table")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[2:]
	if len(rows) < 20 {
		t.Errorf("only %d rows", len(rows))
	}
	for _, row := range rows {
		cells := strings.Split(row, "|")
		one, other, want := documented(t, cells[1]), documented(t, cells[2]), strings.TrimSpace(cells[3])
		t.Run(one+" "+other, func(t *testing.T) {
			if got := compared(t, one, other); got != want {
				t.Errorf("%+q and %+q: %s, the manual says %s", one, other, got, want)
			}
		})
	}
}

// documented is the address in a cell, with its escapes resolved.
func documented(t *testing.T, cell string) string {
	t.Helper()
	text := strings.Trim(strings.TrimSpace(cell), "`")
	resolved, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return resolved
}

// compared says under which policies two addresses are one mailbox, in the manual's words.
func compared(t *testing.T, one, other string) string {
	t.Helper()
	exact := oneMailbox(t, one, other, address.LocalPolicy{})
	fold := oneMailbox(t, one, other, address.LocalPolicy{Fold: true})
	nfkc := oneMailbox(t, one, other, address.LocalPolicy{Fold: true, NFKC: true})
	switch {
	case exact == "none" && fold == "none" && nfkc == "none":
		return "no mailbox"
	case exact == "two" && fold == "two" && nfkc == "none":
		return "no mailbox under nfkc"
	case exact == "one" && fold == "one" && nfkc == "one":
		return "always"
	case exact == "two" && fold == "one" && nfkc == "one":
		return "`case = \"fold\"`"
	case exact == "two" && fold == "two" && nfkc == "one":
		return "`normalize = \"nfkc\"`"
	case exact == "two" && fold == "two" && nfkc == "two":
		return "never"
	}
	return exact + ", " + fold + ", " + nfkc
}

// oneMailbox says whether both addresses are "one" mailbox, "two", or the second is "none".
func oneMailbox(t *testing.T, one, other string, p address.LocalPolicy) string {
	t.Helper()
	a, ok := mailboxKey(one, p)
	if !ok {
		t.Fatalf("%+q is no address", one)
	}
	b, ok := mailboxKey(other, p)
	switch {
	case !ok:
		return "none"
	case a == b:
		return "one"
	}
	return "two"
}

// mailboxKey is what a mailbox is found by, as an administrator's address and a client's.
func mailboxKey(s string, p address.LocalPolicy) (string, bool) {
	a, err := address.Parser{UTF8: true}.ForwardPath(s)
	if err != nil {
		return "", false
	}
	domain, err := address.DomainKey(a.Domain)
	if err != nil {
		return "", false
	}
	local, err := p.Key(a.Local)
	return local + "@" + domain, err == nil
}

// TestUnicodeVersionIsDocumented: the page says whose letters are assigned.
func TestUnicodeVersionIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/smtputf8.md")
	if err != nil {
		t.Fatal(err)
	}
	version := strings.TrimSuffix(min(unicode.Version, norm.Version), ".0")
	if want := "built with: " + version + " today"; !strings.Contains(string(page), want) {
		t.Errorf("docs/smtputf8.md should say %q", want)
	}
}
