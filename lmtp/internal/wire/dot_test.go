package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// decodeBlocks runs a DotDecoder over blocks; what stands after the end is left alone.
func decodeBlocks(blocks [][]byte, normalize bool) lmtptest.Decoded {
	var content bytes.Buffer
	d := &DotDecoder{Normalize: normalize, Emit: func(p []byte) { content.Write(p) }}
	end, before := -1, 0
	for _, block := range blocks {
		n, done := d.Decode(block)
		if done {
			end = before + n
			break
		}
		before += len(block)
	}
	return lmtptest.Decoded{Content: content.String(), End: end, BareLF: d.BareLF, BareCR: d.BareCR}
}

// Each row is lmtptest.Decoded as a whole, octet for octet, and in every way of cutting it in two.
func TestDotDecoder(t *testing.T) {
	tests := []struct {
		name    string
		wire    string // the end is marked by |
		content string
		bare    string // "", "LF", "CR", "LF CR"
	}{
		{"DATA-01 empty: the CRLF of the DATA command counts", ".\r\n|", "", ""},
		{"DATA-01 a line", "a\r\n.\r\n|", "a\r\n", ""},
		{"DATA-01 an empty line", "\r\n.\r\n|", "\r\n", ""},
		{"DATA-01 the first end counts", "a\r\n.\r\n|b\r\n.\r\n", "a\r\n", ""},
		{"DATA-01 nothing after the end is taken", ".\r\n|.\r\n", "", ""},
		{"DATA-01 no end", "a\r\nb", "a\r\nb", ""},
		{"DATA-01 no end, at a dot", "a\r\n.", "a\r\n", ""},
		{"DATA-01 no end, at a dot and CR", "a\r\n.\r", "a\r\n", ""},

		{"DATA-02 LF dot LF", "x\n.\n\r\n.\r\n|", "x\n.\n\r\n", "LF"},
		{"DATA-02 LF dot CRLF", "x\n.\r\n\r\n.\r\n|", "x\n.\r\n\r\n", "LF"},
		{"DATA-02 CRLF dot LF", "x\r\n.\n.\r\n.\r\n|", "x\r\n\n.\r\n", "LF"},
		{"DATA-02 CR dot CR", "x\r.\ry\r\n.\r\n|", "x\r.\ry\r\n", "CR"},
		{"DATA-02 CRLF dot CR", "x\r\n.\ry\r\n.\r\n|", "x\r\n\ry\r\n", "CR"},
		{"DATA-02 CR dot CRLF", "x\r.\r\n.\r\n|", "x\r.\r\n", "CR"},
		{"DATA-02 LF dot CR", "x\n.\ry\r\n.\r\n|", "x\n.\ry\r\n", "LF CR"},
		{"DATA-02 CR CRLF dot CR CRLF", "x\r\r\n.\r\r\n.\r\n|", "x\r\r\n\r\r\n", "CR"},
		{"DATA-02 NUL after the dot", "x\r\n.\x00\r\n.\r\n|", "x\r\n\x00\r\n", ""},
		{"DATA-02 NUL before the dot", "x\r\n\x00.\r\n.\r\n|", "x\r\n\x00.\r\n", ""},
		{"DATA-02 SP after the dot", "x\r\n. \r\n.\r\n|", "x\r\n \r\n", ""},
		{"DATA-02 CRLF dot CR CRLF", "x\r\n.\r\r\n.\r\n|", "x\r\n\r\r\n", "CR"},
		{"DATA-02 dot LF at the very start", ".\n\r\n.\r\n|", "\n\r\n", "LF"},
		{"DATA-02 dot CR at the very start", ".\r.\r\n.\r\n|", "\r.\r\n", "CR"},
		{"DATA-02 LF alone at the very start", "\n.\r\n.\r\n|", "\n.\r\n", "LF"},
		{"DATA-02 LF CR dot CRLF", "x\n\r.\r\n.\r\n|", "x\n\r.\r\n", "LF CR"},

		{"DATA-05 two dots", "..\r\n.\r\n|", ".\r\n", ""},
		{"DATA-05 three dots", "...a\r\n.\r\n|", "..a\r\n", ""},
		{"DATA-05 one dot and more", ".a\r\n.\r\n|", "a\r\n", ""},
		{"DATA-05 a dot and a space", ". \r\n.\r\n|", " \r\n", ""},
		{"DATA-05 dots in a line", "a.\r\nb..c\r\n.\r\n|", "a.\r\nb..c\r\n", ""},
		{"DATA-05 two dots and a false end", "..\r\n..\r\n.\r\n|", ".\r\n.\r\n", ""},
		{"DATA-05 not after a bare LF", "a\n..b\r\n.\r\n|", "a\n..b\r\n", "LF"},
		{"DATA-05 not after a bare CR", "a\r..b\r\n.\r\n|", "a\r..b\r\n", "CR"},

		{"DATA-03 a CR before a line end", "a\r\r\n.\r\n|", "a\r\r\n", "CR"},
		{"DATA-03 a LF after a line end", "a\r\n\n.\r\n.\r\n|", "a\r\n\n.\r\n", "LF"},
		{"DATA-07 octets", "\x00\x07\x0b\x7f\x80\xff\r\n.\r\n|", "\x00\x07\x0b\x7f\x80\xff\r\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after, ended := strings.Cut(tt.wire, "|")
			wire := []byte(before + after)
			want := lmtptest.Decoded{
				Content: tt.content,
				End:     -1,
				BareLF:  strings.Contains(tt.bare, "LF"),
				BareCR:  strings.Contains(tt.bare, "CR"),
			}
			if ended {
				want.End = len(before)
			}
			if got := lmtptest.Decode(string(wire), false); got != want {
				t.Errorf("reference: %v, want %v", got, want)
			}
			cuts := [][][]byte{octets(wire)}
			for i := range len(wire) + 1 {
				cuts = append(cuts, [][]byte{wire[:i], wire[i:]})
			}
			for _, blocks := range cuts {
				if got := decodeBlocks(blocks, false); got != want {
					t.Errorf("blocks %q: %v, want %v", blocks, got, want)
				}
				if got, want := decodeBlocks(blocks, true), lmtptest.Decode(string(wire), true); got != want {
					t.Errorf("normalized, blocks %q: %v, want %v", blocks, got, want)
				}
			}
		})
	}
}

// octets cuts p into single octets.
func octets(p []byte) [][]byte {
	var all [][]byte
	for i := range p {
		all = append(all, p[i:i+1])
	}
	return all
}

// Every content of up to six octets that matter, in every way of cutting it in two.
func TestDotDecoderExhaustively(t *testing.T) {
	const alphabet = "\r\n.x"
	var try func(wire []byte)
	try = func(wire []byte) {
		for _, normalize := range []bool{false, true} {
			want := lmtptest.Decode(string(wire), normalize)
			for i := range len(wire) + 1 {
				if got := decodeBlocks([][]byte{wire[:i], wire[i:]}, normalize); got != want {
					t.Fatalf("%q cut at %d: %v, want %v", wire, i, got, want)
				}
			}
			if got := decodeBlocks(octets(wire), normalize); got != want {
				t.Fatalf("%q octet for octet: %v, want %v", wire, got, want)
			}
		}
		if len(wire) == 6 {
			return
		}
		for i := range len(alphabet) {
			try(append(wire[:len(wire):len(wire)], alphabet[i]))
		}
	}
	try(nil)
}

func FuzzDotDecoder(f *testing.F) {
	f.Add([]byte("a\r\n.\r\nb"), []byte{1}, false)
	f.Add([]byte("..\r\n.\r\r\n.\n\r\n.\r\n"), []byte{3, 1}, true)
	f.Add([]byte(".\r\r\n\n\r.\r\n\r\n."), []byte{2}, true)
	f.Fuzz(func(t *testing.T, wire, cuts []byte, normalize bool) {
		// Half of the octets say nothing here; make them ones that do.
		wire = bytes.Clone(wire)
		for i, b := range wire {
			if b < 0x20 || b > 0x7f {
				wire[i] = "\r\n.x"[b&3]
			}
		}
		got, want := decodeBlocks(lmtptest.Cut(wire, cuts), normalize), lmtptest.Decode(string(wire), normalize)
		if got != want {
			t.Errorf("%q cut by %v: %v, want %v", wire, cuts, got, want)
		}
	})
}
