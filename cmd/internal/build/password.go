package build

import (
	"errors"
	"io"
	"os"
	"strings"
)

// maxPasswordFile bounds what is read for a password.
const maxPasswordFile = 64 << 10

// ReadPassword returns the first line of a file.
func ReadPassword(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPasswordFile))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
