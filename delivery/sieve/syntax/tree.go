package syntax

// A Kind is what an argument is.
type Kind int

// The kinds of arguments (RFC 5228 §2.6).
const (
	String Kind = iota + 1
	Number
	List
	Tag
)

// String describes the kind in a problem.
func (k Kind) String() string {
	return [...]string{"nothing", "a string", "a number", "a string list", "a tag"}[k]
}

// An Argument is one of a command or test.
type Argument struct {
	Span   Span
	Kind   Kind
	Text   string     // of a string, or the name of a tag in lower case, without its colon
	Number uint64     // of a number
	List   []Argument // of a list: strings
}

// A Command is a command or a test: both have a name, arguments and tests.
type Command struct {
	Span      Span   // from its name to its last argument
	Name      string // in lower case
	Arguments []Argument
	Tests     []*Command
	IsList    bool // its tests stand in parentheses
	HasBlock  bool
	Block     []*Command
	// Broken says that there is an error in it, before its block: what it has is not all that was meant.
	Broken bool
}

// NameSpan is where the name stands.
func (c *Command) NameSpan() Span { return Span{c.Span.Start, c.Span.Start + len(c.Name)} }

// A Script is a text that was read.
type Script struct {
	Source   *Source
	Commands []*Command
}
