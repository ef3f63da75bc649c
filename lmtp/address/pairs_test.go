package address_test

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"golang.org/x/text/unicode/norm"
)

// policies are all there are; the first is the default.
var policies = []address.LocalPolicy{{Fold: true}, {}, {Fold: true, NFKC: true}, {NFKC: true}}

// A relation says what holds between two addresses under each of policies.
var relations = map[string][4]bool{
	"same":     {true, true, true, true},
	"case":     {true, false, true, false},
	"compat":   {false, false, true, true},
	"distinct": {false, false, false, false},
}

// key is what a directory would look up.
type key struct{ local, domain string }

// keyOf parses with SMTPUTF8 and returns the key; it returns the parser's error, if any,
// apart from the keys'.
func keyOf(s string, p address.LocalPolicy) (k key, syntax, none error) {
	a, err := address.Parser{UTF8: true}.ForwardPath(s)
	if err != nil {
		return key{}, err, nil
	}
	local, err := p.Key(a.Local)
	if err != nil {
		return key{}, nil, err
	}
	domain, err := address.DomainKey(a.Domain)
	return key{local, domain}, nil, err
}

// TestPairs covers PATH-04, PATH-06, PATH-07, UTF8-04 and EAI-01 to EAI-10 as one table.
func TestPairs(t *testing.T) {
	for _, row := range readPairs(t) {
		t.Run(row.section+"/"+row.relation+" "+row.line, func(t *testing.T) {
			for _, s := range row.addresses {
				checkInvariants(t, s)
			}
			switch row.relation {
			case "bad":
				if _, syntax, _ := keyOf(row.addresses[0], policies[0]); !errors.Is(syntax, address.ErrSyntax) {
					t.Errorf("%q: error %v, want ErrSyntax", row.addresses[0], syntax)
				}
			case "nobody":
				if _, syntax, none := keyOf(row.addresses[0], policies[0]); syntax != nil || none == nil {
					t.Errorf("%q: syntax error %v, key error %v; want a path without key", row.addresses[0], syntax, none)
				}
			default:
				checkRelation(t, row)
			}
		})
	}
}

// checkRelation compares the keys of a row's two addresses under every policy. Under NFKC
// an address may lose its key; it then equals nothing.
func checkRelation(t *testing.T, row pair) {
	want, known := relations[row.relation]
	if !known || len(row.addresses) != 2 {
		t.Fatalf("bad row: %s %q", row.relation, row.addresses)
	}
	for i, p := range policies {
		a, syntaxA, noneA := keyOf(row.addresses[0], p)
		b, syntaxB, noneB := keyOf(row.addresses[1], p)
		if err := errors.Join(syntaxA, syntaxB); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(noneA, noneB); err != nil {
			if p.NFKC && !want[i] {
				continue
			}
			t.Errorf("%+v: %v", p, err)
		}
		if (a == b) != want[i] {
			t.Errorf("%+v: keys %+q and %+q, want equal=%t", p, a, b, want[i])
		}
	}
}

// checkInvariants holds what is true of every text that parses at all.
func checkInvariants(t *testing.T, s string) {
	t.Helper()
	a, err := address.Parser{UTF8: true}.ForwardPath(s)
	if err != nil {
		return
	}
	if _, err := (address.Parser{}).ForwardPath(s); a.IsASCII() != (err == nil) ||
		err != nil && !errors.Is(err, address.ErrNeedsUTF8) {
		t.Errorf("%q without SMTPUTF8: %v", s, err)
	}
	again, err := address.Parser{UTF8: true}.ForwardPath(a.String())
	if err != nil || again.Local != a.Local || again.Domain != a.Domain || again.String() != a.String() {
		t.Errorf("%q: String %q parses to %+q, %v", s, a.String(), again, err)
	}
	for _, p := range policies {
		k, err := p.Key(a.Local)
		if err != nil {
			if !errors.Is(err, address.ErrNoKey) {
				t.Errorf("%q: key error %v, want ErrNoKey", s, err)
			}
			continue
		}
		if k2, err := p.Key(k); err != nil || k2 != k {
			t.Errorf("%+v: key %+q of %q has key %+q, %v", p, k, s, k2, err)
		}
		checkDiskName(t, address.DiskName(k))
	}
	checkDiskName(t, address.DiskName(a.Local))
	checkDomain(t, a)
	checkShown(t, a.Log())
	if h, ok := a.Header(false); ok {
		checkPrintable(t, h)
		if b, err := (address.Parser{}).ForwardPath(h); err != nil || b.Local != a.Local {
			t.Errorf("%q: ASCII header form %q parses to %+q, %v", s, h, b, err)
		}
	}
}

// checkDomain holds that every form of a domain has the same key.
func checkDomain(t *testing.T, a address.Address) {
	t.Helper()
	k, err := address.DomainKey(a.Domain)
	if err != nil {
		return
	}
	forms := []string{k}
	for _, utf8 := range []bool{false, true} {
		b := address.Address{Local: "x", Domain: a.Domain}
		if h, ok := b.Header(utf8); ok {
			forms = append(forms, strings.TrimPrefix(h, "x@"))
		} else {
			t.Errorf("domain %+q has no form with utf8=%t", a.Domain, utf8)
		}
	}
	for _, form := range forms {
		if k2, err := address.DomainKey(form); err != nil || k2 != k {
			t.Errorf("domain %+q has key %q, its form %+q has %q, %v", a.Domain, k, form, k2, err)
		}
	}
}

// checkDiskName holds that a name is one harmless path component (PATH-10).
func checkDiskName(t *testing.T, name string) {
	t.Helper()
	switch {
	case name == "" || name[0] == '.' || len(name) > 255:
	case strings.ContainsAny(name, "/\x00") || !utf8.ValidString(name):
	case !norm.NFC.IsNormalString(name):
	default:
		return
	}
	t.Errorf("unsafe file name %+q", name)
}

// checkPrintable holds that text is printable ASCII.
func checkPrintable(t *testing.T, text string) {
	t.Helper()
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			t.Errorf("%+q is not printable ASCII", text)
			return
		}
	}
}

// A pair is a row of testdata/pairs.txt.
type pair struct {
	section, relation, line string
	addresses               []string
}

func readPairs(t testing.TB) []pair {
	t.Helper()
	f, err := os.Open("testdata/pairs.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []pair
	section := ""
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = name
		}
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		row := pair{section: section, relation: fields[0], line: "line " + strconv.Itoa(n)}
		for _, field := range fields[1:] {
			s, err := strconv.Unquote(`"` + repeat(t, field) + `"`)
			if err != nil {
				t.Fatalf("pairs.txt:%d: %q: %v", n, field, err)
			}
			row.addresses = append(row.addresses, s)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 300 {
		t.Fatalf("only %d rows", len(rows))
	}
	return rows
}

// repeat expands {x*n}.
func repeat(t testing.TB, s string) string {
	t.Helper()
	head, rest, ok := strings.Cut(s, "{")
	if !ok {
		return s
	}
	group, tail, _ := strings.Cut(rest, "}")
	unit, count, _ := strings.Cut(group, "*")
	n, err := strconv.Atoi(count)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return head + strings.Repeat(unit, n) + tail
}
