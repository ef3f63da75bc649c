package hint

// An Error says what is wrong and, if known, what to do about it.
type Error struct {
	Text, Hint string
	// Warning marks what looks wrong, but can be used.
	Warning bool
}

func (e Error) Error() string { return e.Text }

// New returns an Error.
func New(text, hint string) error { return Error{Text: text, Hint: hint} }

// Warning returns an Error that is only a warning.
func Warning(text, hint string) error { return Error{Text: text, Hint: hint, Warning: true} }
