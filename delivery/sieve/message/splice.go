package message

import (
	"io"
	"sort"
	"strings"
)

// A splice is a content that is put together from parts of others, none of which is copied. It can be read when it has
// no more pieces to come.
type splice struct {
	pieces []piece
	size   int64
}

// A piece of a splice, and where it begins.
type piece struct {
	at   int64
	from *io.SectionReader
}

// add appends a part of another content.
func (s *splice) add(from *io.SectionReader) {
	if from != nil && from.Size() > 0 {
		s.pieces = append(s.pieces, piece{s.size, from})
		s.size += from.Size()
	}
}

// text appends a text.
func (s *splice) text(text string) {
	s.add(io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))))
}

// ReadAt implements io.ReaderAt.
func (s *splice) ReadAt(b []byte, off int64) (n int, err error) {
	if off >= s.size {
		return 0, io.EOF
	}
	next := sort.Search(len(s.pieces), func(i int) bool { return s.pieces[i].at > off })
	for _, p := range s.pieces[max(0, next-1):] {
		if n == len(b) {
			return n, nil
		}
		want := b[n:min(int64(len(b)), int64(n)+p.at+p.from.Size()-off)]
		got, err := p.from.ReadAt(want, off-p.at)
		n += got
		off += int64(got)
		if got < len(want) {
			return n, err
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// section is all of it.
func (s *splice) section() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }
