package sieve

import (
	"strings"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// fileinto (RFC 5228 §4.1).
func fileinto() *Extension {
	return &Extension{
		Name: "fileinto", Standard: "RFC 5228 §4.1",
		Definitions: []*Definition{{
			Name:    "fileinto",
			Params:  []Param{{"mailbox", syntax.String}},
			Command: fileintoCommand,
		}},
	}
}

func fileintoCommand(c *Compiler, call *Call) Step {
	folder := c.Text(call.Args[0])
	if folder.IsConstant() && !isFolder(folder.constant) {
		c.Problem(call.Args[0].Span, "", "invalid folder name '%s'", folder.constant)
		return nil
	}
	store := c.store(call)
	place, ok := c.specialUse(call)
	if !ok {
		return nil
	}
	isCopy, create := call.Has("copy"), call.Has("create")
	return func(r *Run) {
		s := store(r)
		s.Folder, s.Create = folder.Get(r), create
		place(r, s)
		if !isFolder(s.Folder) {
			r.Fail("invalid folder name '%s'", s.Folder)
			return
		}
		if !isCopy {
			r.result.keep = false
		}
		r.traceAction("fileinto", s.Folder)
		r.act(s)
	}
}

// isFolder reports whether a name can be that of a mailbox: UTF-8 without controls.
func isFolder(name string) bool {
	return name != "" && len(name) <= maxFolder && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f })
}

const maxFolder = 1000 // octets; what a store takes may be less

// copy keeps the implicit keep in effect (RFC 3894).
func copyExtension() *Extension {
	return &Extension{
		Name: "copy", Standard: "RFC 3894",
		Tags: map[string][]Tag{"fileinto": {{Name: "copy"}}, "redirect": {{Name: "copy"}}, "pipe": {{Name: "copy"}}},
	}
}
