package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// CheckSecrets checks that only those read the secrets of the configuration who should: keys, passwords, and the files
// of the configuration themselves if they have a secret in them. A server must not start if this finds something.
func (c *Config) CheckSecrets() error {
	files := map[string]bool{
		c.TLS.Key: true, c.Auth.PasswdFile: true, c.Submission.PasswordFile: true, c.State.Database.PasswordFile: true,
	}
	for _, d := range c.Directories {
		files[d.Database.PasswordFile] = true
	}
	for _, file := range c.haveSecrets() {
		files[file] = true
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if file == "" {
			continue
		}
		var e hint.Error
		if err := checkSecret(file); errors.As(err, &e) { // what cannot be read is found by its reader
			return fmt.Errorf("%w; %s", err, e.Hint)
		}
	}
	return nil
}

// haveSecrets returns the files of the configuration that have a secret in them.
func (c *Config) haveSecrets() (files []string) {
	for _, e := range c.origin.entries {
		where, set := c.origin.where[e.Key]
		if file, _, _ := strings.Cut(where, ":"); set && isSecret(e.row.Name) && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	return files
}
