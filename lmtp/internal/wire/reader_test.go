package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

func readerOf(blocks [][]byte) *Reader {
	return NewReader(&lmtptest.Blocks{Left: blocks}, func() error { return nil })
}

// readLines reads lines to the end and returns each, or what was wrong with it.
func readLines(r *Reader) []string {
	var got []string
	for {
		line, err := r.ReadLine()
		switch {
		case err == nil:
			got = append(got, string(line))
		case errors.Is(err, ErrLineTooLong) || errors.Is(err, ErrLineEnd):
			got = append(got, "!"+err.Error())
		default:
			return append(got, "!"+err.Error())
		}
	}
}

const (
	tooLong = "!command line too long"
	badEnd  = "!bare CR or LF in a command line"
	flood   = "!no end of line in sight"
	atEOF   = "!EOF"
)

// Each row is read as a whole, octet for octet, and cut in two at every place that matters.
func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	tests := []struct {
		name string
		sent string
		want []string
	}{
		{"CMD-01 CRLF", "NOOP\r\n\r\nQUIT\r\n", []string{"NOOP", "", "QUIT", atEOF}},
		{"CMD-01 LF does not end a line", "NOOP\nNOOP\r\nQUIT\r\n", []string{badEnd, "QUIT", atEOF}},
		{"CMD-01 CR does not end a line", "NOOP\rNOOP\r\nQUIT\r\n", []string{badEnd, "QUIT", atEOF}},
		{"CMD-01 CR CR LF", "NOOP\r\r\nQUIT\r\n", []string{badEnd, "QUIT", atEOF}},
		{"CMD-01 LF first", "\nNOOP\r\n", []string{badEnd, atEOF}},
		{"CMD-01 LF CR LF", "\n\r\nNOOP\r\n", []string{badEnd, "NOOP", atEOF}},
		{"CMD-01 a line without an end is none", "NOOP", []string{atEOF}},
		{"CMD-01 nor with half an end", "NOOP\r", []string{atEOF}},
		{"CMD-01 NUL is an octet", "a\x00b\r\n", []string{"a\x00b", atEOF}},
		{"CMD-03 the longest line", long[2:] + "\r\nQUIT\r\n", []string{long[2:], "QUIT", atEOF}},
		{"CMD-03 one octet more", long[1:] + "\r\nQUIT\r\n", []string{tooLong, "QUIT", atEOF}},
		{"CMD-03 CRLF cut by the limit", long + "\r\nQUIT\r\n", []string{tooLong, "QUIT", atEOF}},
		{"CMD-03 much too long", long + long + long + "\r\nQUIT\r\n", []string{tooLong, "QUIT", atEOF}},
		{"CMD-03 too long, with bare ends", long + "\n" + long + "\r" + "\r\nQUIT\r\n", []string{tooLong, "QUIT", atEOF}},
		{"CMD-03 too long, twice", long + "\r\n" + long + "\r\nQUIT\r\n", []string{tooLong, tooLong, "QUIT", atEOF}},
		{"CMD-03 flood", strings.Repeat("x", MaxLine+MaxSkipped+MaxLine), []string{flood}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sent := []byte(tt.sent)
			cuts := [][][]byte{{sent}, octets(sent)}
			for i := 1; i < len(sent); i++ {
				// All places of a short row; around the limit and the line ends of a long one.
				if len(sent) < 100 || i > MaxLine-4 && i < MaxLine+4 || i > len(sent)-10 {
					cuts = append(cuts, [][]byte{sent[:i], sent[i:]})
				}
			}
			for _, blocks := range cuts {
				got := readLines(readerOf(clone(blocks)))
				if tt.want[0] == flood {
					got = got[:1]
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Fatalf("%d blocks, the first of %d octets (-want +got):\n%.300s", len(blocks), len(blocks[0]), diff)
				}
			}
		})
	}
}

func clone(blocks [][]byte) [][]byte {
	return append([][]byte(nil), blocks...)
}

// What is pipelined after content is neither eaten nor lost when the buffer changes, be it
// more than a small buffer holds or less.
func TestBufferKeepsPipelined(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 200000} {
		for _, behind := range []int{0, 1, 682, 683, 10000, 12000} {
			t.Run(fmt.Sprintf("PIPE-03 %d octets and %d commands", size, behind), func(t *testing.T) {
				content := strings.Repeat("y", size) + "\r\n"
				if size == 0 {
					content = ""
				}
				message := content + ".\r\n"
				commands := strings.Repeat("NOOP\r\n", behind)
				sent := []byte("DATA\r\n" + message + commands + "DATA\r\n" + message + "QUIT\r\n")
				r := readerOf([][]byte{sent})
				for round, want := range []int{behind + 1, 1} {
					mustReadLine(t, r, "DATA")
					var got bytes.Buffer
					if err := r.ReadDots(&DotDecoder{Emit: func(p []byte) { got.Write(p) }}); err != nil {
						t.Fatal(err)
					}
					if got.String() != content {
						t.Fatalf("round %d: content of %d octets, want %d", round, got.Len(), len(content))
					}
					for range want - 1 {
						mustReadLine(t, r, "NOOP")
					}
				}
				mustReadLine(t, r, "QUIT")
				if r.large != nil || len(r.buf) != MaxLine {
					t.Errorf("buffer is large with nothing in it")
				}
			})
		}
	}
}

func mustReadLine(t *testing.T, r *Reader, want string) {
	t.Helper()
	line, err := r.ReadLine()
	if err != nil || string(line) != want {
		t.Fatalf("line %q, %v; want %q", line, err, want)
	}
}

// However much was pipelined after content: when it has been read and the session waits, it
// holds a small buffer. So does one that has ended, wherever it did.
func TestIdleBufferIsSmall(t *testing.T) {
	const commands = 3000
	r := readerOf([][]byte{[]byte("x\r\n.\r\n" + strings.Repeat("NOOP\r\n", commands))})
	if err := r.ReadDots(&DotDecoder{Emit: func([]byte) {}}); err != nil {
		t.Fatal(err)
	}
	if r.large == nil {
		t.Fatal("buffer is small with more in it than it holds")
	}
	for range commands {
		mustReadLine(t, r, "NOOP")
	}
	if r.ReadLine(); r.large != nil {
		t.Error("buffer is large while the session waits")
	}

	r = readerOf([][]byte{[]byte(".\r\n" + strings.Repeat("x", 2*MaxLine))})
	if err := r.ReadDots(&DotDecoder{Emit: func([]byte) {}}); err != nil {
		t.Fatal(err)
	}
	if r.Release(); r.large != nil {
		t.Error("buffer was not given back at the end")
	}
}

// Each read that may block is announced, and its refusal ends reading.
func TestWaitBeforeRead(t *testing.T) {
	refused := errors.New("no")
	waits := 0
	r := NewReader(&lmtptest.Blocks{Left: [][]byte{[]byte("A\r\nB\r\nC"), []byte("\r\n")}}, func() error {
		if waits++; waits > 2 {
			return refused
		}
		return nil
	})
	for i, want := range []struct {
		line  string
		waits int
	}{{"A", 1}, {"B", 1}, {"C", 2}} {
		mustReadLine(t, r, want.line)
		if waits != want.waits {
			t.Errorf("line %d: %d waits, want %d", i, waits, want.waits)
		}
	}
	if _, err := r.ReadLine(); !errors.Is(err, refused) {
		t.Errorf("error is %v, want that of wait", err)
	}
}

// referenceLines is readLines from the whole of the octets.
func referenceLines(in string) []string {
	var got []string
	for {
		line, rest, found := strings.Cut(in, "\r\n")
		switch {
		case len(line) >= MaxLine+MaxSkipped-MaxLine && len(line) > MaxLine:
			return append(got, flood) // the exact place is the reader's affair
		case !found:
			return append(got, atEOF)
		case len(line)+2 > MaxLine:
			got = append(got, tooLong)
		case strings.ContainsAny(line, "\r\n"):
			got = append(got, badEnd)
		default:
			got = append(got, line)
		}
		in = rest
	}
}

func FuzzReadLine(f *testing.F) {
	f.Add([]byte("NOOP\r\nNOOP\nNOOP\r\r\n\r\n"), []byte{1}, uint16(0))
	f.Add([]byte("NOOP\r\n\r\nQUIT\r\n"), []byte{200, 3}, uint16(4094))
	f.Add([]byte("\r\rx\n\n\r\n"), []byte{7}, uint16(8200))
	f.Fuzz(func(t *testing.T, sent, cuts []byte, long uint16) {
		sent = bytes.Clone(sent)
		for i, b := range sent {
			if b > 0x7f {
				sent[i] = "\r\n"[b&1]
			}
		}
		// A long run first, so that the limits are met.
		sent = append(bytes.Repeat([]byte("z"), int(long)%(3*MaxLine)), sent...)
		got, want := readLines(readerOf(lmtptest.Cut(sent, cuts))), referenceLines(string(sent))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d octets cut by %v (-want +got):\n%s", len(sent), cuts, diff)
		}
	})
}
