package mailbox

import (
	"bytes"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
	"strings"
	"testing"
)

var lineEnds = []struct {
	name, wire, lf string
	bare           [2]int64 // LFs without CR on disk: LF store, CRLF store
}{
	{"nothing", "", "", [2]int64{0, 0}},
	{"lines", "a\r\n\r\nbc\r\n", "a\n\nbc\n", [2]int64{3, 0}},
	{"MDIR-12 CR CR LF", "a\r\r\n", "a\r\n", [2]int64{0, 0}},
	{"CR CR CR LF", "\r\r\r\n", "\r\r\n", [2]int64{0, 0}},
	{"bare CR", "a\rb\r\n\rc\r\n", "a\rb\n\rc\n", [2]int64{2, 0}},
	{"bare LF", "a\nb\r\n\n\r\n", "a\nb\n\n\n", [2]int64{4, 2}},
	{"CHUNK-12 no final line end", "a\r\nb", "a\nb\n", [2]int64{2, 0}},
	{"CHUNK-12 final CR", "a\r\nb\r", "a\nb\r\n", [2]int64{1, 0}},
	{"one CR", "\r", "\r\n", [2]int64{0, 0}},
	{"one LF", "\n", "\n", [2]int64{1, 1}},
}

// Every cut of the content gives the same octets on disk and the same sizes.
func TestLineEnds(t *testing.T) {
	for _, tt := range lineEnds {
		t.Run(tt.name, func(t *testing.T) {
			for store, want := range []string{tt.lf, tt.wire} {
				for i := range len(tt.wire) + 1 {
					for j := i; j <= len(tt.wire); j++ {
						l := lineEnder{crlf: store == 1}
						var got []byte
						for _, piece := range []string{tt.wire[:i], tt.wire[i:j], tt.wire[j:]} {
							before := len(got)
							if got = l.put(got, []byte(piece)); len(got)-before > len(piece)+1 {
								t.Errorf("%q brought %d octets", piece, len(got)-before)
							}
						}
						before := len(got)
						if got = l.finish(got); len(got)-before > finalOctets {
							t.Errorf("finish brought %d octets", len(got)-before)
						}
						if string(got) != want {
							t.Fatalf("crlf %v, cut at %d and %d: %q, want %q", l.crlf, i, j, got, want)
						}
						if want := (maildir.Sizes{Disk: int64(len(want)), Bare: tt.bare[store]}); l.sizes != want {
							t.Fatalf("crlf %v, cut at %d and %d: sizes %+v, want %+v", l.crlf, i, j, l.sizes, want)
						}
					}
				}
			}
		})
	}
}

// What is stored from content without bare LF and CR CR LF is reversible (RFC 5321 §4.5.2).
func FuzzLineEnds(f *testing.F) {
	for _, tt := range lineEnds {
		f.Add([]byte(tt.wire), 1)
	}
	f.Fuzz(func(t *testing.T, wire []byte, cut int) {
		cut = min(max(cut, 0), len(wire))
		l, verbatim := lineEnder{}, lineEnder{crlf: true}
		lf := l.finish(l.put(l.put(nil, wire[:cut]), wire[cut:]))
		crlf := verbatim.finish(verbatim.put(verbatim.put(nil, wire[:cut]), wire[cut:]))
		if !bytes.Equal(crlf, wire) {
			t.Fatalf("CRLF store: %q became %q", wire, crlf)
		}
		for _, got := range []struct {
			sizes  maildir.Sizes
			octets []byte
		}{{l.sizes, lf}, {verbatim.sizes, crlf}} {
			bare := bytes.Count(got.octets, []byte("\n")) - bytes.Count(got.octets, []byte("\r\n"))
			if got.sizes != (maildir.Sizes{Disk: int64(len(got.octets)), Bare: int64(bare)}) {
				t.Fatalf("%q has sizes %+v", got.octets, got.sizes)
			}
		}
		text := string(wire)
		if strings.Count(text, "\n") != strings.Count(text, "\r\n") || strings.Contains(text, "\r\r\n") ||
			!strings.HasSuffix(text, "\r\n") {
			return
		}
		if back := strings.ReplaceAll(string(lf), "\n", "\r\n"); back != text {
			t.Fatalf("%q came back as %q", text, back)
		}
	})
}
