package sieve

import "github.com/doorstep-mail/doorstep/delivery/sieve/syntax"

// fcc files a copy of what vacation and notify send (RFC 8580).
func fcc() *Extension {
	tag := []Tag{{Name: "fcc", Kind: syntax.String}}
	return &Extension{
		Name: "fcc", Standard: "RFC 8580",
		Tags: map[string][]Tag{"vacation": tag, "notify": tag},
	}
}

// fileCopy compiles the tags of fcc, and those of mailbox, imap4flags and special-use that go with it. What it returns
// is where the copy goes; nil if there is none.
func fileCopy(c *Compiler, call *Call) (func(*Run) *Store, bool) {
	a := call.Tag("fcc")
	if a == nil {
		for _, name := range []string{"create", "flags", "specialuse"} {
			if span := call.TagSpan(name); span != nil {
				c.Problem(*span, "it says how a copy is filed", "the :%s tag of %s cannot be specified without the :fcc tag",
					name, call.name())
				return nil, false
			}
		}
		return func(*Run) *Store { return nil }, true
	}
	folder := c.Text(a)
	if folder.IsConstant() && !isFolder(folder.constant) {
		c.Problem(a.Span, "", "invalid folder name '%s'", folder.constant)
		return nil, false
	}
	place, ok := c.specialUse(call)
	var flags List
	if f := call.Tag("flags"); f != nil {
		flags = c.List(f)
	}
	create := call.Has("create")
	return func(r *Run) *Store {
		s := &Store{Folder: folder.Get(r), Create: create, Flags: splitFlags(flags.Get(r))}
		place(r, s)
		if !isFolder(s.Folder) {
			r.Fail("invalid folder name '%s'", s.Folder)
		}
		return s
	}, ok
}
