package delivery

import (
	"strings"
	"testing"
)

// What a report brings back does not depend on how the message is cut into writes, and is bounded.
func TestTop(t *testing.T) {
	const maxHeader = 32 << 10
	long := strings.Repeat("X: "+strings.Repeat("y", 70)+"\r\n", 1000)
	for name, tt := range map[string]struct {
		message, header string
		cut             bool
	}{
		"CRLF":          {"A: b\r\nC: d\r\n e\r\n\r\nbody\r\n\r\nX: y\r\n", "A: b\r\nC: d\r\n e\r\n", false},
		"LF":            {"A: b\nC: d\n\nbody\n\nX: y\n", "A: b\nC: d\n", false},
		"both":          {"A: b\n\r\nbody", "A: b\n", false},
		"no header":     {"\r\nA: b\r\n\r\n", "", false},
		"no body":       {"A: b\r\n", "A: b\r\n", false},
		"mbox line":     {"From a Sat Nov 28 12:00:00 2026\nA: b\n\nx", "A: b\n", false},
		"long":          {long + "\r\nbody", long[:maxHeader/75*75], true},
		"one long line": {strings.Repeat("x", 2*maxHeader), "", true},
		"nothing":       {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 1000, maxHeader + 1, len(tt.message) + 1} {
				h := &top{most: maxHeader}
				for rest := tt.message; rest != ""; {
					n := min(size, len(rest))
					if _, err := h.Write([]byte(rest[:n])); err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
				if got := string(h.header()); got != tt.header || h.cut != tt.cut {
					t.Errorf("in writes of %d: %d octets %.200q, cut %v", size, len(got), got, h.cut)
				}
			}
		})
	}
}
