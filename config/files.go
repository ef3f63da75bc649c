package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// checkSecret checks that a file is there, and that not every user of the machine may read it. Its group may: that is
// how several programs share a key.
func checkSecret(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // to open a pipe could take forever
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	switch {
	case !info.Mode().IsRegular():
		return errors.New(hint.Quote(path) + " is not a regular file")
	case info.Mode()&fs.FileMode(0o007) != 0:
		return hint.New(fmt.Sprintf("%s is open to every user of this machine (mode %04o)",
			hint.Quote(path), info.Mode().Perm()), "chmod o= "+path)
	}
	return nil
}

// ReadPassword reads the password in a file, its first line; "" if path is. It refuses a file that every user of the
// machine may read.
func ReadPassword(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	if err := checkSecret(path); err != nil {
		return "", err
	}
	return FirstLine(path)
}

// FirstLine reads the first line of a file.
func FirstLine(path string) (string, error) {
	text, err := readMost(path, maxSecret)
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), err
}

// maxSecret bounds the octets that are read of a file with a password or a token, which have fewer.
const maxSecret = 4096

// readMost reads the beginning of a file.
func readMost(path string, octets int64) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, octets))
}

// checkReadable checks that a file is there and can be read.
func checkReadable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New(hint.Quote(path) + " is not a regular file") // to open a pipe could take forever
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
