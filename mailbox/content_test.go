package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Content is taken before it is known where it goes: what is read back is what was sent, octet for octet, and what
// the copies get is the same whether they were named before the content, in the midst of it, or after it.
func TestContentBeforeCopies(t *testing.T) {
	const piece = 10_000
	for _, size := range []int{0, 1, 1000, smallBuffer, largeBuffer - 3, largeBuffer + 1, 3*largeBuffer + 17} {
		sent := bytes.Repeat([]byte("line\rof \n text\r\n\r\r\nmore\r\n"), size/16+1)[:size]
		for _, crlf := range []bool{false, true} {
			for _, named := range []string{"before", "in the midst", "after", "after it was read"} {
				t.Run(fmt.Sprintf("%d octets, crlf %t, copies named %s", size, crlf, named), func(t *testing.T) {
					s := open(t, Options{Create: true, CRLF: crlf, Durability: None}, kernel.Linux{})
					root := scratch(t)
					copies := []Copy{
						{To: Dest{Root: root, Path: "a"}},
						{To: Dest{Root: root, Path: "b"}, Header: []byte("Delivered-To: b\r\n")},
					}
					c := s.NewContent()
					defer c.Close()
					for rest := sent; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
						if named == "before" && len(rest) == len(sent) || named == "in the midst" && len(rest) <= len(sent)/2 {
							c.Deliver(copies...)
							copies = nil
						}
						if _, err := c.Write(rest[:min(piece, len(rest))]); err != nil {
							t.Fatal(err)
						}
					}
					var reader *io.SectionReader
					if named == "after it was read" {
						var err error
						if reader, err = c.ReaderAt(); err != nil {
							t.Fatal(err)
						}
						wantSent(t, reader, sent)
					}
					m := c.Deliver(copies...)
					if err := errors.Join(commit(t, m, len(m.deliveries))...); err != nil {
						t.Fatal(err)
					}
					ends := lineEnder{crlf: crlf}
					disk := string(ends.finish(ends.put(nil, sent)))
					for i, header := range []string{"", "Delivered-To: b\n"}[:len(m.deliveries)] {
						if crlf {
							header = strings.ReplaceAll(header, "\n", "\r\n")
						}
						to := m.deliveries[i].to
						if got := mails(t, to); len(got) != 1 || got[0] != header+disk {
							t.Errorf("copy %d: %d files, or another content", i, len(got))
						}
						want := fmt.Sprintf(",S=%d,W=%d", len(header+disk), len(header+disk)+bareLFs(header+disk))
						if !strings.HasSuffix(m.Name(i), want) {
							t.Errorf("MDIR-08: copy %d is called %s, want an end %s", i, m.Name(i), want)
						}
					}
					if reader != nil {
						wantSent(t, reader, sent) // still
					}
				})
			}
		}
	}
}

func bareLFs(s string) int { return strings.Count(s, "\n") - strings.Count(s, "\r\n") }

// wantSent reads content back, whole and from offsets.
func wantSent(t *testing.T, r *io.SectionReader, sent []byte) {
	t.Helper()
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, sent) || r.Size() != int64(len(sent)) {
		t.Errorf("read back %d octets of %d, %v", len(got), len(sent), err)
	}
	for _, at := range []int{0, len(sent) / 2, len(sent)} {
		p := make([]byte, 100)
		n, err := r.ReadAt(p, int64(at))
		if want := sent[at:min(len(sent), at+len(p))]; !bytes.Equal(p[:n], want) || n < len(p) && err != io.EOF {
			t.Errorf("at %d: %q, %v", at, p[:n], err)
		}
	}
}

// Content whose copies are named in time is written once, into the first one's tmp/; else the spool has it.
func TestContentStreams(t *testing.T) {
	wire, _ := lines(3 * largeBuffer)
	for _, early := range []bool{true, false} {
		sys := newProbe()
		s := open(t, Options{Create: true, Durability: None}, sys)
		copies := []Copy{{To: Dest{Root: scratch(t), Path: "u"}}}
		c := s.NewContent()
		if early {
			c.Deliver(copies...)
			copies = nil
		}
		_, _ = c.Write([]byte(wire))
		if spooled := slices.ContainsFunc(sys.take(), func(c call) bool { return c.name == "nameless" }); spooled == early {
			t.Errorf("copies named first %t: spooled %t", early, spooled)
		}
		if _, err := c.ReaderAt(); (err == nil) == early {
			t.Errorf("copies named first %t: read back: %v", early, err)
		}
		if err := commitAll(t.Context(), c.Deliver(copies...)); err != nil {
			t.Error(err)
		}
		if _, err := c.Write([]byte("x")); err == nil {
			t.Error("written after the commit")
		}
		c.Close()
		c.Close()
		if open := sys.leaks(); open != nil {
			t.Errorf("left open: %q", open)
		}
	}
}

// Content that is closed instead of delivered leaves nothing, and its message cannot be committed any more.
func TestContentClosed(t *testing.T) {
	for _, size := range []int{100, 2 * largeBuffer} {
		wire, _ := lines(size)
		root := scratch(t)
		sys := newProbe()
		s := open(t, Options{Create: true}, sys)
		for _, named := range []bool{false, true} {
			c := s.NewContent()
			var m *Message
			if named {
				m = c.Deliver(Copy{To: Dest{Root: root, Path: "u"}})
			}
			_, _ = c.Write([]byte(wire))
			c.Close()
			if named {
				if err := commitAll(context.Background(), m); err == nil {
					t.Error("committed after Close")
				}
			}
		}
		if left := append(in(t, root, "u", "new"), in(t, root, "u", "tmp")...); left != nil {
			t.Errorf("left %q", left)
		}
		if open := sys.leaks(); open != nil {
			t.Errorf("left open: %q", open)
		}
	}
}

// A spool directory that fails is the error of Write, of the reader, and of every copy.
func TestSpoolFails(t *testing.T) {
	wire, _ := lines(3 * largeBuffer)
	for _, failing := range []string{"nameless", "writev"} {
		sys := newProbe()
		sys.before = func(_ int, c call) error {
			if c.name == failing {
				return unix.ENOSPC
			}
			return nil
		}
		s := open(t, Options{Create: true}, sys)
		c := s.NewContent()
		if _, err := c.Write([]byte(wire)); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: Write: %v", failing, err)
		}
		if _, err := c.ReaderAt(); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: ReaderAt: %v", failing, err)
		}
		to := Dest{Root: scratch(t), Path: "u"}
		if err := commit(t, c.Deliver(Copy{To: to}), 1)[0]; !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: Commit: %v", failing, err)
		}
		c.Close()
		if left := append(in(t, to.String(), "new"), in(t, to.String(), "tmp")...); left != nil {
			t.Errorf("%s: left %q", failing, left)
		}
		if open := sys.leaks(); open != nil {
			t.Errorf("%s: left open: %q", failing, open)
		}
	}
}
