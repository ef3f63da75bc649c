package wire

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkDots(b *testing.B) {
	for _, bench := range []struct{ name, line string }{
		{"lines of 74", strings.Repeat("x", 72) + "\r\n"},
		{"empty lines", "\r\n"},
		{"dots", "..\r\n"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			block := []byte(strings.Repeat(bench.line, contentBuffer/len(bench.line)))
			got := 0
			d := &DotDecoder{Emit: func(p []byte) { got += len(p) }}
			b.ReportAllocs()
			b.SetBytes(int64(len(block)))
			for b.Loop() {
				d.Decode(block)
			}
			if got == 0 {
				b.Fatal("nothing came out")
			}
		})
	}
}

func BenchmarkReadLine(b *testing.B) {
	for _, n := range []int{26, 500, 4000} {
		b.Run(fmt.Sprint(n, " octets"), func(b *testing.B) {
			line := []byte(strings.Repeat("x", n-2) + "\r\n")
			r := NewReader(endless(line), func() error { return nil })
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				if got, err := r.ReadLine(); err != nil || len(got) != n-2 {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}

// endless returns the same line again and again.
type endless []byte

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for len(p)-n >= len(e) {
		n += copy(p[n:], e)
	}
	return n, nil
}
