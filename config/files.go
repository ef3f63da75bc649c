package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/doorstep-mail/doorstep/config/internal/hint"
)

// checkSecret checks that a file is there, and that not every user of the machine may read it. Its group may: that is
// how several programs share a key.
func checkSecret(path string) error {
	f, err := os.Open(path)
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
		return hint.New(fmt.Sprintf("%s is open to everybody on this machine (mode %04o)",
			hint.Quote(path), info.Mode().Perm()), "chmod o= "+path)
	}
	return nil
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
