package system

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// maxFile bounds a file of passwd(5), in octets.
const maxFile = 64 << 20

// file reads a file of passwd(5), each time anew: answers are cached elsewhere.
type file string

func (f file) find(ctx context.Context, name string) (line string, err error) {
	info, err := os.Stat(string(f))
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", f) // to open a pipe could take for ever
	case info.Size() > maxFile:
		return "", fmt.Errorf("%s is larger than %d octets", f, maxFile)
	}
	in, err := os.Open(string(f))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	lines := bufio.NewReaderSize(in, maxLine)
	for number := 1; ; number++ {
		text, err := lines.ReadSlice('\n')
		switch {
		case err != nil && len(text) == 0 && number > 1:
			return "", directory.ErrNotFound
		case err != nil:
			// Half a line, or nothing at all: no user is unknown because their line is still to come.
			return "", fmt.Errorf("%s:%d: the line has no end: %w", f, number, err)
		}
		if found, _, _ := strings.Cut(string(text), ":"); found == name {
			return strings.TrimSuffix(string(text), "\n"), nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
}
