package program

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// inMemory is how much of what a program writes stays in memory, in octets.
const inMemory = 128 << 10

// A spool keeps what a program writes, up to a limit: in memory, or what is more in a file without a name.
type spool struct {
	dir   string
	limit int64
	size  int64
	head  []byte
	file  *os.File
	err   error // why not all of it could be kept
}

// errOutput says that a program writes too much.
var errOutput = errors.New("it writes too much")

// Write implements io.Writer.
func (s *spool) Write(p []byte) (n int, err error) {
	defer func() { s.err = errors.Join(s.err, err) }()
	if s.size+int64(len(p)) > s.limit {
		return 0, fmt.Errorf("%w: more than %d octets", errOutput, s.limit)
	}
	if s.file == nil && len(s.head)+len(p) <= inMemory {
		s.head = append(s.head, p...)
		s.size += int64(len(p))
		return len(p), nil
	}
	if s.file == nil {
		if err := s.toFile(); err != nil {
			return 0, err
		}
	}
	n, err = s.file.Write(p)
	s.size += int64(n)
	return n, err
}

// toFile moves what is in memory to a file.
func (s *spool) toFile() error {
	f, err := os.CreateTemp(s.dir, "doorstep-program-*")
	if err != nil {
		return err
	}
	if err = os.Remove(f.Name()); err == nil {
		_, err = f.Write(s.head)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.file, s.head = f, nil
	return nil
}

// ReadAt implements io.ReaderAt.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	return bytes.NewReader(s.head).ReadAt(p, off)
}

func (s *spool) close() error {
	s.head = nil
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// maxSaid is how much is kept of what a program writes to its standard error, in octets.
const maxSaid = 500

// A beginning keeps that of what is written to it, and takes the rest.
type beginning struct{ bytes.Buffer }

// Write implements io.Writer.
func (b *beginning) Write(p []byte) (int, error) {
	if room := maxSaid - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}
