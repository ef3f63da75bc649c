package maildir

import (
	"errors"
	"path/filepath"
	"strings"

	gomaildir "github.com/emersion/go-maildir"
)

// Walk calls each for the messages in cur/ of the Maildir at path: with the name of the file, and its flags as
// letters in order. It passes over names that go-maildir cannot read: without flags, or with what it does not know.
// Its error is that of each, or says that cur/ could not be read.
func Walk(path string, each func(name, flags string) error) error {
	var failed error
	err := gomaildir.Dir(path).Walk(func(m *gomaildir.Message) error {
		flags := make([]rune, 0, len(m.Flags()))
		for _, f := range m.Flags() {
			flags = append(flags, rune(f))
		}
		failed = each(filepath.Base(m.Filename()), string(flags))
		return failed
	})
	var badName *gomaildir.MailfileError
	var badFlags *gomaildir.FlagError
	if failed == nil && (errors.As(err, &badName) || errors.As(err, &badFlags)) {
		return nil
	}
	if failed != nil {
		return failed
	}
	return err
}

// Base is the part of a file's name that stays when its flags change.
func Base(name string) string {
	base, _, _ := strings.Cut(name, ":")
	return base
}
