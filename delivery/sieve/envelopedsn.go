package sieve

import "strings"

// envelope-dsn: what the envelope says of reports of the delivery (RFC 6009 §3).
func envelopeDSN() *Extension {
	return &Extension{Name: "envelope-dsn", Standard: "RFC 6009 §3", Wants: []string{"envelope"}}
}

// dsnParts are the parts that envelope-dsn adds; of what was not given there is no value.
var dsnParts = map[string]func(e *Envelope) []string{
	"notify": func(e *Envelope) []string {
		return strings.FieldsFunc(strings.ToUpper(e.Notify), func(c rune) bool { return c == ',' })
	},
	"ret":   func(e *Envelope) []string { return present(strings.ToUpper(e.Ret)) },
	"envid": func(e *Envelope) []string { return present(e.EnvID) },
	"orcpt": func(e *Envelope) []string { return present(e.ORCPT) },
}

func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
