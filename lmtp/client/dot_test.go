package client

import (
	"bufio"
	"bytes"
	"io"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"
)

// dotted returns what goes over the wire, when the content comes in pieces of n octets.
func dotted(t *testing.T, content string, n int) (wire string, octets int64) {
	t.Helper()
	var b bytes.Buffer
	d := &dotWriter{w: bufio.NewWriter(&b)}
	for rest := content; rest != ""; {
		piece := rest[:min(n, len(rest))]
		if wrote, err := d.Write([]byte(piece)); wrote != len(piece) || err != nil {
			t.Fatal(wrote, err)
		}
		rest = rest[len(piece):]
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), d.octets
}

func TestDotWriter(t *testing.T) {
	for _, tt := range []struct{ name, content, wire string }{
		{"DATA-06 empty message", "", ".\r\n"},
		{"empty line", "\n", "\r\n.\r\n"},
		{"LF becomes CRLF", "a\nb\n", "a\r\nb\r\n.\r\n"},
		{"CRLF stays", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"},
		{"mixed", "a\r\nb\nc", "a\r\nb\r\nc\r\n.\r\n"},
		{"no line end", "a", "a\r\n.\r\n"},
		{"DATA-05 dots", ".\n..\n.a\n a.\n.", "..\r\n...\r\n..a\r\n a.\r\n..\r\n.\r\n"},
		{"dot in the middle", "a.b\nc.\n", "a.b\r\nc.\r\n.\r\n"},
		{"end of data within", "a\r\n.\r\nQUIT\r\n", "a\r\n..\r\nQUIT\r\n.\r\n"},
		{"end of data by LF", "a\n.\nQUIT\n", "a\r\n..\r\nQUIT\r\n.\r\n"},
		{"bare CR is content", "a\rb\r\r\nc", "a\rb\r\r\nc\r\n.\r\n"},
		{"CR at the end is content", "a\r", "a\r\r\n.\r\n"},
		{"dot after a bare CR", "a\r.\r\n", "a\r.\r\n.\r\n"},
		{"8BIT-02 octets", "\x00\x7f\x80\xff\xc3\xa9\n", "\x00\x7f\x80\xff\xc3\xa9\r\n.\r\n"},
	} {
		for n := 1; n <= len(tt.content)+1; n++ {
			wire, octets := dotted(t, tt.content, n)
			if wire != tt.wire {
				t.Errorf("%s, by %d: %q, want %q", tt.name, n, wire, tt.wire)
			}
			stuffed := strings.Count("\r\n"+strings.TrimSuffix(wire, ".\r\n"), "\r\n.")
			if want := int64(len(wire) - len(".\r\n") - stuffed); octets != want {
				t.Errorf("%s, by %d: %d octets, want %d", tt.name, n, octets, want)
			}
		}
	}
}

func FuzzDotWriter(f *testing.F) {
	f.Add("a\n.\r\n..b\r", 3)
	f.Add(".", 1)
	f.Fuzz(func(t *testing.T, content string, n int) {
		wire, octets := dotted(t, content, max(n, 1))
		whole, _ := dotted(t, content, len(content)+1)
		if wire != whole {
			t.Fatalf("in pieces %q, whole %q", wire, whole)
		}
		if i := strings.Index("\r\n"+wire, "\r\n.\r\n"); i+3 != len(wire) {
			t.Fatalf("end of data at %d of %q", i, wire)
		}
		// What a server reads back, lines ended by LF, is the content with its line ends made LF.
		if strings.Contains(strings.ReplaceAll(content, "\r\n", ""), "\r") {
			return // textproto drops bare CRs
		}
		got, err := io.ReadAll(textproto.NewReader(bufio.NewReader(strings.NewReader(wire))).DotReader())
		want := strings.ReplaceAll(content, "\r\n", "\n")
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if err != nil || string(got) != want {
			t.Fatalf("server reads %q (%v), want %q", got, err, want)
		}
		if size := int64(len(want) + strings.Count(want, "\n")); octets != size {
			t.Fatalf("%d octets, want %d", octets, size)
		}
	})
}

func TestInspect(t *testing.T) {
	for _, tt := range []struct {
		content string
		want    Traits
	}{
		{"", Traits{}},
		{"Subject: x\n\nb", Traits{Size: 17}},
		{"Subject: x\r\n\r\n.b\r\n", Traits{Size: 18}},
		{"Subject: x\n\n\xe9", Traits{Size: 17, EightBit: true}},
		{"Subject: é\n\nb", Traits{Size: 18, EightBit: true, UTF8Header: true}},
		{"A: b\n \n é\n\n", Traits{Size: 16, EightBit: true, UTF8Header: true}},
		{"A: b\r\n\r\nB: é", Traits{Size: 15, EightBit: true}},
	} {
		got, err := Inspect(iotest.OneByteReader(strings.NewReader(tt.content)))
		if err != nil || got != tt.want {
			t.Errorf("%q: %+v, %v, want %+v", tt.content, got, err, tt.want)
		}
		if want := map[bool]string{true: "8BITMIME"}[tt.want.EightBit]; got.Body() != want {
			t.Errorf("%q: body %q", tt.content, got.Body())
		}
	}
	if _, err := Inspect(iotest.ErrReader(io.ErrNoProgress)); err == nil {
		t.Error("unreadable content inspected")
	}
}
