package address_test

import (
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func TestDiskName(t *testing.T) {
	tests := []struct{ name, local, want string }{
		{"plain", "u1", "u1"},
		{"case kept", "Alice", "Alice"},
		{"dots inside", "a.b.", "a.b."},
		{"NFC", "jose\u0301", "jos\u00e9"},
		{"PATH-10 empty", "", "%"},
		{"PATH-10 dot", ".", "%2E"},
		{"PATH-10 dot-dot", "..", "%2E."},
		{"PATH-10 traversal", "../../etc/x", "%2E.%2F..%2Fetc%2Fx"},
		{"PATH-10 slash", "a/b", "a%2Fb"},
		{"PATH-10 hidden", ".u1", "%2Eu1"},
		{"PATH-10 NUL", "a\x00b", "a%00b"},
		{"PATH-10 percent", "a%2Fb", "a%252Fb"},
		{"PATH-10 percent alone", "%", "%25"},
		{"DEL and line end", "a\x7f\r\n", "a%7F%0D%0A"},
		{"C1", "a\u0085", "a%C2%85"},
		{"bidi control", "a\u202e", "a%E2%80%AE"},
		{"line separator", "a\u2028", "a%E2%80%A8"},
		{"not UTF-8", "jos\xe9", "jos%E9"},
		{"replacement character", "\ufffd", "\ufffd"},
		{"mark after an escape", "/\u0301", "%2F%CC%81"},
		{"marks after an escape", ".\u0301\u0302x\u0302", "%2E%CC%81%CC%82x\u0302"},
		{"space, backslash, quote", ` "\`, ` "\`},
		{"64 octets of escapes fit", strings.Repeat("/", 64), strings.Repeat("%2F", 64)},
		{"255 octets", strings.Repeat("a", 255), strings.Repeat("a", 255)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := address.DiskName(tt.local); got != tt.want {
				t.Errorf("%+q: %+q, want %+q", tt.local, got, tt.want)
			}
		})
	}
}

func TestDiskNameTooLong(t *testing.T) {
	seen := map[string]string{}
	for _, local := range []string{
		strings.Repeat("a", 256),
		strings.Repeat("a", 257),
		strings.Repeat("a", 255) + "b",
		strings.Repeat("\u00e9", 128),
		strings.Repeat("/", 86),
		strings.Repeat("/", 87),
	} {
		name := address.DiskName(local)
		checkDiskName(t, name)
		if other, twice := seen[name]; twice {
			t.Errorf("%q and %q are both %q", local, other, name)
		}
		seen[name] = local
		if again := address.DiskName(name); again == name {
			t.Errorf("a local part equal to the name of another has that name: %q", name)
		}
	}
}
