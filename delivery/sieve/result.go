package sieve

import (
	"io"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// A Result is what a script wants done with the message.
type Result struct {
	// Actions are in the order of the script; the implicit keep, where it is in effect, comes last.
	Actions []Action
	// Otherwise is to be done besides if no Pipe succeeds that is no Copy: only such with Try took the place of the
	// implicit keep.
	Otherwise *Store
	// Marks are what is to be remembered when the actions have succeeded.
	Marks []Mark
	// Discarded says that the script discarded the message, and nothing keeps it.
	Discarded bool
	// Err is why the script ended early. The message, as it came, is then kept (RFC 5228 §2.10.6), besides what the
	// scripts before it decided.
	Err *Error
	// Warnings are what the owner of the script should know, although it ran.
	Warnings []*Error
	// Steps is what the run took of its budget, with those of the scripts before it.
	Steps int64

	keep     bool     // the implicit keep is in effect
	tried    bool     // but pipes with :try took its place
	prior    int      // how many of the actions are those of scripts before this one
	content  content  // of the message at the end
	flags    []string // the internal variable of imap4flags
	programs int      // that were run
}

// A Mark is what is to be remembered of the message when its delivery has succeeded (RFC 7352 §3.1).
type Mark struct {
	Handle, ID string
	Seconds    uint64
}

// mark notes a mark once.
func (r *Result) mark(m Mark) {
	for _, other := range r.Marks {
		if other == m {
			return
		}
	}
	r.Marks = append(r.Marks, m)
}

// Kept reports whether the message is still kept: the next script of a sequence runs only then.
func (r *Result) Kept() bool {
	return r.Err == nil && (r.keep && r.Otherwise == nil || slices.ContainsFunc(r.Actions, isKeep))
}

func isKeep(a Action) bool {
	s, ok := a.(*Store)
	return ok && s.Keep
}

// An Action is something to be done. It is one of the types of this package that have these methods.
type Action interface {
	// Verb names it, as logs and traces do.
	Verb() string
	// Position is where a script asked for it; script is empty if none did.
	Position() (script string, line, column int)

	locate(r *Run)
}

// A Store puts the message into a folder.
type Store struct {
	// Folder is its name; empty for where mail without a filter goes.
	Folder string
	// Keep says that keep was asked for, and Implicit that nothing was.
	Keep, Implicit bool
	// Create says that the folder is to be made.
	Create bool
	// SpecialUse is what a folder that is made is for, such as \Junk (RFC 8579 §4.1); empty for nothing.
	SpecialUse string
	// Flags are those of the copy.
	Flags []string
	// Header and Body are those of the copy, where they are not as the message came.
	Header []*message.Field
	Body   *io.SectionReader
	Place
}

// Verb implements Action.
func (s *Store) Verb() string {
	if s.Keep {
		return "keep"
	}
	return "store"
}

// inbox reports whether the copy goes where mail without a filter goes.
func (s *Store) inbox() bool { return s.Folder == "" || strings.EqualFold(s.Folder, "INBOX") }

func (s *Store) locate(r *Run) {
	if !s.Implicit {
		s.Place.locate(r)
	}
}

func isInbox(a Action) bool {
	s, ok := a.(*Store)
	return ok && s.inbox()
}

// A merger is an action that one before it may make needless. It reports whether that is so.
type merger interface{ merge(r *Run) bool }

// An excluder is an action that may not be there beside others. It is asked whichever of two comes first.
type excluder interface{ excludes(other Action) bool }

// act adds an action, unless it is one that is there already, or may not be there (RFC 9122). What scripts before this
// one decided counts as done: nothing excludes it.
func (r *Run) act(a Action) {
	if m, ok := a.(merger); ok && m.merge(r) {
		return
	}
	if len(r.result.Actions) >= r.limits.Actions {
		r.Fail("total number of actions exceeds policy limit: more than %d", r.limits.Actions)
		return
	}
	for _, other := range r.result.Actions[r.result.prior:] {
		if excludes(a, other) || excludes(other, a) {
			r.Fail("the %s action conflicts with the %s action before it", a.Verb(), other.Verb())
			return
		}
	}
	a.locate(r)
	r.result.Actions = append(r.result.Actions, a)
}

func excludes(a, other Action) bool {
	e, ok := a.(excluder)
	return ok && e.excludes(other)
}

// merge finds a copy in the same folder: there is one only, and the flags asked for last count (RFC 5232 §5).
func (s *Store) merge(r *Run) bool {
	for _, other := range r.result.Actions {
		if o, ok := other.(*Store); ok && (o.Folder == s.Folder || o.inbox() && s.inbox()) {
			o.Flags, o.Create, o.Keep = s.Flags, o.Create || s.Create, o.Keep || s.Keep && !s.Implicit
			return true
		}
	}
	return false
}

// end completes the result.
func (r *Run) end() Result {
	res := &r.result
	res.Steps, res.Err = r.steps, r.err
	if r.err == nil && res.keep {
		keep := &Store{Keep: true, Implicit: true, Flags: r.flags}
		keep.Header, keep.Body = r.edited(r.in)
		if res.tried {
			res.Otherwise = keep
		} else {
			r.act(keep)
		}
		res.Err = r.err // one action too many
	}
	if r.err != nil {
		failed := r.in.failed(r.err, r.steps)
		failed.Warnings = res.Warnings
		return failed
	}
	res.content, res.flags, res.programs = r.content, r.flags, r.programs
	res.Discarded = len(res.Actions) == 0
	return *res
}
