package sieve

import "github.com/doorstep-mail/doorstep/delivery/sieve/syntax"

// ihave: which extensions there are, and error (RFC 5463).
func ihave() *Extension {
	return &Extension{
		Name: "ihave", Standard: "RFC 5463",
		Definitions: []*Definition{
			{
				Name:   "ihave",
				Params: []Param{{"capabilities", syntax.List}},
				Test:   ihaveTest,
			},
			{
				Name:   "error",
				Params: []Param{{"message", syntax.String}},
				Command: func(c *Compiler, call *Call) Step {
					text := c.Text(call.Args[0])
					return func(r *Run) { r.Fail("%s", text.Get(r)) }
				},
			},
		},
	}
}

// changesStrings are extensions that cannot begin in the middle of a script: they change what strings mean.
var changesStrings = map[string]bool{"variables": true, "encoded-character": true}

// ihaveTest makes the capabilities part of the language, as if they were required, if all are there. Else the result is
// known, and what it guards is not checked.
func ihaveTest(c *Compiler, call *Call) Test {
	all := true
	for _, a := range elements(call.Args[0]) {
		all = all && a.Text != "" && c.has(a.Text) && c.rival(a.Text) == "" &&
			(!changesStrings[a.Text] || c.active[a.Text])
	}
	call.Result = Never
	if all {
		call.Result = Always
		for _, a := range elements(call.Args[0]) {
			c.activate(a.Text)
		}
	}
	return func(*Run) bool { return all }
}
