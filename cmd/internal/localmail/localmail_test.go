package localmail

import (
	"io"
	"strings"
	"testing"
)

// FuzzLineEnds: each line that a program hands over ends in CRLF, and nothing else of it is changed.
func FuzzLineEnds(f *testing.F) {
	for _, text := range []string{"", "a", "a\n", "a\r\n\nb\r", "\r\r\n", "\n\n", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := io.ReadAll(newCRLFReader(strings.NewReader(text)))
		want := strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\r\n"
		}
		if err != nil || string(got) != want {
			t.Errorf("%q became %q, want %q: %v", text, got, want, err)
		}
	})
}
