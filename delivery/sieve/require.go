package sieve

import "github.com/doorstep-mail/doorstep/delivery/sieve/syntax"

// require says which extensions a script uses (RFC 5228 §3.2).
func requireCommand() *Definition {
	return &Definition{
		Name:   "require",
		Params: []Param{{"extensions", syntax.List}},
		Command: func(c *Compiler, call *Call) Step {
			if c.depth > 1 || c.began {
				c.Problem(call.NameSpan(), "", "the require command stands at the top of the script, before all others")
				return nil
			}
			for _, a := range elements(call.Args[0]) {
				c.require(&a)
			}
			return func(*Run) {}
		},
	}
}

// require makes a capability part of the language.
func (c *Compiler) require(a *syntax.Argument) {
	if rival := c.rival(a.Text); rival != "" {
		c.Problem(a.Span, "they have different commands of the same names", "the extensions '%s' and '%s' exclude each other",
			a.Text, rival)
	}
	if a.Text != "" && c.activate(a.Text) {
		return
	}
	if why := refused[a.Text]; why != "" {
		c.Problem(a.Span, why, "the extension '%s' is not supported", a.Text)
		return
	}
	if a.Text != "" && c.find(a.Text) != nil {
		c.Problem(a.Span, c.options.AllowHint, "the extension '%s' is not allowed here", a.Text)
		return
	}
	hint := ""
	for _, e := range c.registry {
		if isLike(e.Name, a.Text) {
			hint = "did you mean " + e.Name + "?"
		}
	}
	c.Problem(a.Span, hint, "unknown extension '%s'", a.Text)
}

// refused are extensions that are known, and why there is none of them here.
var refused = map[string]string{
	"mboxmetadata":   "a Maildir has no metadata",
	"servermetadata": "a Maildir has no metadata",
	"mailboxid":      "a Maildir has no mailbox identifiers",
	"imapsieve":      "scripts of IMAP events are for the IMAP server",
	"convert":        "parts are not converted",
	"snooze":         "a Maildir cannot snooze",
	// RFC 6009 §5, §6: there is no DELIVERBY (RFC 2852) on either side.
	"envelope-deliverby": "mail comes without a time by which it is to be delivered",
	"redirect-deliverby": "mail is sent on without a time by which it is to be delivered",
	"processcalendar":    "there is no calendar here",
}
