package address_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// longPaths are as long as a command line may be.
var longPaths = map[string]string{
	"ASCII":          "u1@" + strings.Repeat("a.", 2000) + "a",
	"U-labels":       "u1@" + strings.Repeat("é.", 1360) + "é",
	"long U-labels":  "u1@" + strings.Repeat(strings.Repeat("é", 30)+".", 65) + "é",
	"decomposed":     "u1@" + strings.Repeat("e\u0301.", 1000) + "é",
	"A-labels":       "u1@" + strings.Repeat("xn--9ca.", 500) + "a",
	"a source route": strings.TrimSuffix(strings.Repeat("@é.é,", 570), ",") + ":u1@é",
}

// readLong does with a path what the server does of itself: it parses it, looks for its domain, and logs it.
func readLong(path string) (key string, err error) {
	for _, parse := range []func(string) (address.Address, error){
		address.Parser{UTF8: true}.ReversePath, address.Parser{UTF8: true}.ForwardPath,
	} {
		var a address.Address
		if a, err = parse(path); err != nil {
			continue
		}
		_ = a.Log()
		_, _ = a.Header(true)
		key, err = address.DomainKey(a.Domain)
	}
	return key, err
}

// TestLongPathsCostLittle: no more labels of a path are mapped than one domain can have. Mapping a label of these
// allocates five times or more, and all else a few times for the path.
func TestLongPathsCostLittle(t *testing.T) {
	for name, path := range longPaths {
		t.Run(name, func(t *testing.T) {
			if got := testing.AllocsPerRun(10, func() { _, _ = readLong(path) }); got > 600 {
				t.Errorf("%v allocations", got)
			}
			if key, err := readLong(path); name != "a source route" && !errors.Is(err, address.ErrSyntax) {
				t.Errorf("key %q, error %v", key, err)
			}
		})
	}
}

// TestLongestDomain: the bound refuses no domain that is one, however it is spelled.
func TestLongestDomain(t *testing.T) {
	label := func(n int) string { return strings.Repeat("\u1ea5", n) } // decomposed it is three code points
	var domain string
	for n := 1; ; n++ {
		longer := strings.Repeat(label(52)+".", 3) + label(n)
		key, err := address.DomainKey(longer)
		if err != nil || len(key) > 255 {
			break
		}
		domain = longer
	}
	composed, err := address.DomainKey(domain)
	if err != nil || len(composed) < 240 {
		t.Fatalf("%q has key %q: %v", domain, composed, err)
	}
	decomposed, err := readLong("u1@" + norm.NFD.String(domain))
	if err != nil || decomposed != composed {
		t.Errorf("decomposed it has key %q (%v), want %q", decomposed, err, composed)
	}
}

func BenchmarkLongPath(b *testing.B) {
	for name, path := range longPaths {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = readLong(path)
			}
		})
	}
}
