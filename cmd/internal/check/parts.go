// Package check finds what is wrong with a configuration that package config cannot see: of its parts when they are
// built, of the databases and servers that it leads to, and of the user who starts the server.
package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
)

// builds finds what only the parts themselves can tell of their configuration, such as mistakes in queries. It connects
// to nothing.
func builds(path string, c *config.Config) (problems []config.Problem) {
	log := slog.New(slog.DiscardHandler)
	domains, err := build.Domains(c)
	if err != nil {
		return []config.Problem{{File: path, Text: err.Error()}}
	}
	for i, d := range c.Directories {
		opened, err := build.OpenDirectory(d, domains, log)
		if err == nil {
			err = build.CloseDirectory(opened)
		}
		if err == nil {
			continue
		}
		p := c.Place(fmt.Sprintf("directory[%d]", i))
		name, rest, _ := strings.Cut(err.Error(), ": ")
		key := p.Key + "." + strings.ReplaceAll(name, " ", "_")
		p.Text = err.Error()
		if c.Where(key) != "" {
			p = c.Place(key)
			p.Text = rest
		}
		p.Hint = "the page of driver " + string(d.Driver) + " says what it takes"
		problems = append(problems, p)
	}
	if len(problems) > 0 {
		return problems
	}
	resolver, err := build.Resolver(c, nil, log)
	if err == nil {
		err = build.CloseDirectory(resolver.Directory)
	}
	if err != nil {
		problems = append(problems, config.Problem{File: path, Text: err.Error()})
	}
	return problems
}

// eximRoom is the room that Exim's lmtp transport has for the answer to LHLO: each line takes its octets and one more
// (src/transports/lmtp.c reads them into a buffer of 256).
const eximRoom = 255

// hellos warns of sockets whose answer to LHLO is too long for Exim's lmtp transport, which then defers all mail.
// It does not connect over TCP.
func hellos(c *config.Config) (problems []config.Problem) {
	for i, l := range c.Listen {
		if l.Protocol != config.LMTP || l.Network == "tcp" || l.Peers != nil && !mayBeExim(l.Peers) {
			continue
		}
		trusted := mayBeExim(l.TrustedUsers)
		reply, err := build.HelloReply(c, l, trusted)
		if err != nil {
			continue // a user that does not exist, of which CheckSystem tells
		}
		lines := strings.Count(reply, "\r\n")
		excess := len(reply) + lines - eximRoom
		if excess <= 0 {
			continue
		}
		p := c.Place(fmt.Sprintf("listen[%d].address", i))
		p.Text = fmt.Sprintf("the answer to LHLO has %d octets in %d lines, %d more than Exim's lmtp transport has room "+
			"for: if that speaks to it, all its mail is deferred with \"Malformed LMTP response\"", len(reply), lines, excess)
		p.Hint = "shorten hostname, or offer less"
		if trusted {
			p.Hint = "leave Exim out of trusted"
		}
		p.Hint += "; or have Exim's smtp transport speak LMTP over TCP, see smtputf8.md"
		p.Warning = true
		problems = append(problems, p)
	}
	return problems
}

// mayBeExim reports whether Exim may be one of the users: it delivers as whom its transport names.
func mayBeExim(users []string) bool {
	return slices.ContainsFunc(users, func(user string) bool { return user != "postfix" })
}

// manyLists bounds what check says of one database.
const manyLists = 20

// lists warns of aliases in the databases that verbs manage whose mail is deferred, as they lead in a circle or
// exceed the limits. Nothing is asked but these files.
func lists(ctx context.Context, c *config.Config) (problems []config.Problem) {
	only := *c
	only.Directories = slices.DeleteFunc(slices.Clone(c.Directories), func(d config.Directory) bool {
		return !build.IsOurs(d)
	})
	r, err := build.Resolver(&only, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil // a problem already
	}
	defer func() { _ = build.CloseDirectory(r.Directory) }() // it was read only
	for i, d := range c.Directories {
		if _, err := os.Stat(d.File); !build.IsOurs(d) || errors.Is(err, fs.ErrNotExist) {
			continue // a problem already
		}
		p := c.Place(fmt.Sprintf("directory[%d].file", i))
		p.Warning = true
		found := 0
		note := func(err error) {
			if found++; found <= manyLists {
				p.Text = err.Error()
				problems = append(problems, p)
			}
		}
		s, err := sqlite.Read(ctx, sqlite.StoreOptions{Path: d.File, Key: build.Keyer(r)})
		if err != nil {
			p.Text, p.Hint, p.Warning = err.Error(), fileHints[d.Driver], false
			problems = append(problems, p)
			continue
		}
		for a, err := range s.Aliases(ctx, "") {
			if err != nil {
				note(fmt.Errorf("read the aliases: %w", err))
				break
			}
			if key, err := s.Key(a.Address); err == nil {
				if err := r.CheckAlias(ctx, key); err != nil {
					note(err)
				}
			}
		}
		if found > manyLists {
			p.Text = fmt.Sprintf("and %d aliases more whose mail is deferred", found-manyLists)
			problems = append(problems, p)
		}
		if err := s.Close(); err != nil {
			note(err)
		}
	}
	return problems
}
