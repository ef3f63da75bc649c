package table

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/tomlpos"
)

// everydayWords are keys of some section that administrators also write when they mean something else, such as file in
// [log]: it does not help to say which section has that key.
var everydayWords = []string{
	"address", "auth", "base", "contains", "database", "domain", "domains", "driver", "enabled", "file", "folder",
	"format", "group", "header", "host", "home", "key", "level", "mode", "name", "owner", "path", "paths", "port",
	"protocol", "schema", "socket", "store", "timeout", "tls", "to", "token_file", "user",
}

// fewKeys is how many keys a hint can name.
const fewKeys = 9

// unknown says that there is no such key in the table, and which one may be meant.
func (r *Reader[C]) unknown(table, at tomlpos.Value, p *Part[C], name string) {
	if len(r.Problems) == MaxProblems {
		return // guessing is not free
	}
	var suggestion string
	if meant := hint.Closest(name, r.names(p)); meant != "" {
		suggestion = "did you mean " + meant + "?"
		r.suspects[table.Below(meant)] = true
		if p.Array && isReferredTo(meant) {
			r.suspects[p.Name] = true
		}
	} else {
		suggestion = r.whereTo(p, name)
	}
	if p.Array && isReferredTo(name) {
		r.suspects[p.Name] = true
	}
	(&Value{Value: at, in: &r.Input}).AddKey("unknown key", suggestion)
}

// whereTo is the hint for a key that a section does not have, nor one of a similar name.
func (r *Reader[C]) whereTo(p *Part[C], name string) string {
	if slices.Contains(p.Foreign.Keys, name) {
		return p.Foreign.Hint
	}
	var headers []string
	for _, other := range r.parts {
		if other.Row(name) != nil {
			headers = append(headers, other.Header())
		}
	}
	switch {
	case len(headers) > 0 && (p.Name == "" || !slices.Contains(everydayWords, name)):
		return "it belongs to " + strings.Join(headers, " or ")
	case p.Name == "":
		return "doorstep config default shows all keys"
	case len(p.Rows) <= fewKeys:
		return p.Header() + " takes " + strings.Join(r.names(p), ", ")
	}
	return "doorstep config default shows the keys of " + p.Header()
}

// names are the keys that can stand in a section; in the document itself also the sections.
func (r *Reader[C]) names(p *Part[C]) []string {
	var names []string
	for _, row := range p.Rows {
		names = append(names, row.Name)
	}
	if p.Name == "" {
		for _, below := range r.parts[1:] {
			names = append(names, below.Name)
		}
	}
	return names
}
