package config

import (
	"slices"
	"strings"
)

// everydayWords are keys of some section that administrators also write where they mean something else, such as
// file in [log]: where the word has its meaning here does not help.
var everydayWords = []string{
	"address", "auth", "base", "contains", "database", "domain", "domains", "driver", "enabled", "file", "folder", "format", "group", "header",
	"host", "home", "key", "level", "mode", "name", "owner", "path", "paths", "port", "protocol", "schema", "socket", "store", "timeout", "tls",
	"to", "token_file", "user",
}

// logPlaces are what other servers call the place of their log.
var logPlaces = []string{"destination", "dir", "directory", "facility", "file", "filename", "output", "path", "syslog", "target"}

// fewKeys is how many keys a hint can name.
const fewKeys = 9

// whereTo is the hint for a key that a section does not have, nor one spelled like it.
func whereTo(s *section, name string) string {
	if s.name == "log" && slices.Contains(logPlaces, name) {
		return "the log goes to standard error, under systemd into the journal; 2>>FILE keeps it in a file"
	}
	headers := sectionsWith(name)
	switch {
	case len(headers) > 0 && (s.name == "" || !slices.Contains(everydayWords, name)):
		return "it belongs to " + strings.Join(headers, " or ")
	case s.name == "":
		return "doorstep config default shows all keys"
	case len(s.keys) <= fewKeys:
		return s.header() + " takes " + strings.Join(s.names(), ", ")
	}
	return "doorstep config default shows the keys of " + s.header()
}
