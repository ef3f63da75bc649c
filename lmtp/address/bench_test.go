package address_test

import (
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func BenchmarkParseForwardPath(b *testing.B) {
	for _, path := range []string{"alice.b+list@dst.example", `"alice"@dst.example`, "jos\u00e9@b\u00fccher.example"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (address.Parser{UTF8: true}).ForwardPath(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	for _, local := range []string{"alice.b", "Alice.B", "JOS\u00c9"} {
		b.Run(local, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (address.LocalPolicy{Fold: true}).Key(local); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDomainKey(b *testing.B) {
	for _, domain := range []string{"dst.example", "Dst.Example", "b\u00fccher.example"} {
		b.Run(domain, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := address.DomainKey(domain); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAllocations holds what the documentation promises of ASCII in lower case.
func TestAllocations(t *testing.T) {
	got := testing.AllocsPerRun(100, func() {
		a, err := address.Parser{UTF8: true}.ForwardPath("alice.b@dst.example")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (address.LocalPolicy{Fold: true}).Key(a.Local); err != nil {
			t.Fatal(err)
		}
		if _, err := address.DomainKey(a.Domain); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations for an ASCII recipient, want none", got)
	}
}
