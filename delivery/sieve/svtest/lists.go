package svtest

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
)

// lists are those of the settings: sieve_extlists_list names them, and each may have a file in the form of Dovecot's
// dictionaries: a line for a key, and one for its value.
type lists suite

// HasList implements sieve.Lists.
func (l *lists) HasList(name string) bool {
	return slices.ContainsFunc(strings.Fields(l.settings["sieve_extlists_list"]), func(key string) bool {
		return sieve.ListName(l.settings["sieve_extlists_list/"+key+"/name"]) == name
	})
}

// InList implements sieve.Lists.
func (l *lists) InList(_ context.Context, name, value string) (bool, error) {
	for key := range strings.FieldsSeq(l.settings["sieve_extlists_list"]) {
		prefix := "sieve_extlists_list/" + key
		file := l.settings[prefix+"/dict/file/path"]
		if sieve.ListName(l.settings[prefix+"/name"]) != name || file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		if slices.Contains(strings.Split(string(text), "\n"), "priv/sieve/extlists/"+value) {
			return true, nil
		}
	}
	return false, nil
}
