package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A Step carries out a command.
type Step func(*Run)

// A Test decides.
type Test func(*Run) bool

// An Extension is what scripts require by name (RFC 5228 §6): what they may then write.
type Extension struct {
	// Name is the capability; empty for the base of the language.
	Name string
	// Standard is where it is defined.
	Standard string
	// Off says that it has to be allowed first.
	Off bool
	// Wants are capabilities that have to be required besides.
	Wants []string
	// Excludes are capabilities that may not be required besides: they have other commands of the same names.
	Excludes []string
	// Implies are capabilities that come with it.
	Implies []string
	// Definitions are its commands and tests.
	Definitions []*Definition
	// Tags are what it adds to commands and tests of other extensions, by their names.
	Tags map[string][]Tag
	// Comparators and Matches are for all tests that compare.
	Comparators []*Comparator
	Matches     []*MatchType
	// Parts are what address tests may look at.
	Parts []*AddressPart
	// Modifiers are for set (RFC 5229 §4.1).
	Modifiers []*Modifier
	// Namespace returns the value of ${name.rest}, by namespaces (RFC 5229 §3).
	Namespaces map[string]func(*Compiler, syntax.Span, string) Text
}

// A Definition is what a command or a test is: which arguments it takes, and how it becomes part of a program.
type Definition struct {
	Name string
	// Params are the arguments that have no tag; the first Optional ones may be left out, or the last if Trailing.
	Params   []Param
	Optional int
	Trailing bool
	Tags     []Tag
	// Compares says that it takes match types and comparators, Addresses that it takes address parts as well.
	Compares  bool
	Addresses bool
	// Modifies says that it takes modifiers.
	Modifies bool
	// Tests says which tests it takes, and Block that it has a block.
	Tests Tests
	Block bool
	// Ends is the known result of a test that makes those after it of no account.
	Ends Known
	// Before is called before the tests and the block are compiled; what it returns is called after that.
	Before func(*Compiler, *Call) (end func())
	// Command and Test compile it; a definition can be both. They return nil where they noted a problem.
	Command func(*Compiler, *Call) Step
	Test    func(*Compiler, *Call) Test
}

// A Param is an argument without a tag.
type Param struct {
	Name string
	Kind syntax.Kind
}

// A Tag is an optional argument.
type Tag struct {
	Name string
	// Group is what it is one of, for tags that exclude one another.
	Group string
	// Kind is that of its parameter; none if zero.
	Kind syntax.Kind
}

// Tests says which tests a command or a test takes.
type Tests int

// A command takes no tests, one, or a list.
const (
	NoTests Tests = iota
	OneTest
	TestList
)

// Known is what is known of a test's result when it is compiled.
type Known int

// A test's result may be known: what an if that fails guards is not checked (RFC 5463 §4).
const (
	Unknown Known = iota
	Never
	Always
)

// Options are what programs may do. The zero value allows every extension that is on by default.
type Options struct {
	// Limits bound a run. [DefaultLimits]
	Limits Limits
	// Allowed reports whether a script may require an extension that is there. [those that are on by default]
	Allowed func(*Extension) bool
	// AllowedGlobal is the same for scripts of the site that a script includes with :global. [as Allowed]
	AllowedGlobal func(*Extension) bool
	// AllowHint says what can be done about an extension that is not allowed. [nothing]
	AllowHint string
	// More are extensions besides those of Extensions.
	More []*Extension
	// Protected reports whether fields of a name, in lower case, may not be added or deleted. [none but the standard's]
	Protected func(name string, add bool) bool
	// Included returns the text of another script, for include. [there is none]
	Included func(place, name string) (*syntax.Source, error)
}

// A Program is a script that can be run, by many goroutines at once.
type Program struct {
	// Name is that of its source.
	Name string

	source  *syntax.Source
	options *Options
	main    Step
	first   syntax.Span // the first command but require
	// matches says that the script reads ${1} and the like, so that what wildcards stood for is kept.
	matches bool
	needs   Needs
}

// Needs are what a program wants to see of a message and its environment.
type Needs uint8

// What a program may need beyond the header and the envelope.
const (
	NeedsSize Needs = 1 << iota
	NeedsBody
	NeedsMailbox
	// NeedsRewriting says that the script may change the body (RFC 5703 §5, §6).
	NeedsRewriting
	// NeedsPrograms says that the script may have programs run: during it or by its actions.
	NeedsPrograms
)

// Needs returns what the program, and what it includes, may ask for.
func (p *Program) Needs() Needs { return p.needs }

// An AddressPart is what a test looks at in an address (RFC 5228 §2.7.4).
type AddressPart struct {
	Name string
	// of returns the part; ok reports whether the address has it.
	of func(r *Run, a *message.Address) (part string, ok bool)
}

// A Modifier changes a value that set sets (RFC 5229 §4.1). Those of a higher precedence come first, and there is one
// of each.
type Modifier struct {
	Name       string
	precedence int
	apply      func(string) string
	// cut cuts what it returned after n octets at most. [between two characters]
	cut func(s string, n int) string
}
