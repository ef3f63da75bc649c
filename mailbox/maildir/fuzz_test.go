package maildir

import (
	"strings"
	"testing"
)

// FuzzName: an owner may give a message any name. What is found in order has a unique part, and sizes that are those
// which stand there.
func FuzzName(f *testing.F) {
	f.Add("1795456214.M76753P1Q1Rffffffffffffffff.mx.example.org,S=100,W=107:2,FS", true)
	f.Add("1.a,S=,S=5,W=99999999999999999999:2,", true)
	f.Add(":2,", false)
	f.Fuzz(func(t *testing.T, name string, current bool) {
		size, hasSize := SizeIn(name)
		if hasSize && (size < 0 || size > maxSize || !strings.Contains(name, ",S=")) {
			t.Errorf("%q has %d octets", name, size)
		}
		if CheckName(name, current) != nil {
			return
		}
		if !strings.HasPrefix(Base(name), Unique(name)) || Unique(name) == "" {
			t.Errorf("%q: base %q, unique part %q", name, Base(name), Unique(name))
		}
		sized := WithSizes(Unique(name), Sizes{Disk: 3, Bare: 4})
		if n, ok := SizeIn(sized); n != 3 || !ok {
			t.Errorf("%q has %d octets", sized, n)
		}
		if n, ok := CRLFSizeIn(sized); n != 7 || !ok {
			t.Errorf("%q has %d octets with CRLF", sized, n)
		}
		if err := CheckName(sized, false); err != nil {
			t.Errorf("%q: %v", sized, err)
		}
	})
}
