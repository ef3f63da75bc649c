package sieve

import (
	"errors"
	"fmt"
	"strings"
)

// Extensions returns what scripts may require, in the order of their names. Each call returns new values.
func Extensions() []*Extension {
	return []*Extension{
		base(),
		asciiNumeric(),
		builtIn("i;ascii-casemap", "RFC 4790 §9.2"),
		builtIn("i;octet", "RFC 4790 §9.3"),
		builtIn("i;unicode-casemap", "RFC 5051"),
		body(),
		copyExtension(),
		dateExtension(),
		duplicate(),
		editheader(),
		enclose(),
		encodedCharacter(),
		enotify(),
		envelope(),
		envelopeDSN(),
		environment(),
		ereject(),
		extlists(),
		extracttext(),
		fcc(),
		fileinto(),
		foreverypart(),
		ihave(),
		imap4flags(),
		imapflags(),
		include(),
		indexExtension(),
		mailboxExtension(),
		mimeExtension(),
		oldNotify(),
		redirectDSN(),
		regexExtension(),
		reject(),
		relational(),
		replaceExtension(),
		spamtest(),
		spamtestplus(),
		specialUse(),
		subaddress(),
		vacation(),
		vacationSeconds(),
		variables(),
		virustest(),
		debug(),
		execute(),
		filter(),
		pipe(),
		report(),
		vndEnvironment(),
	}
}

// Choose reads which extensions scripts may require: "+NAME" and "-NAME" change the default, and names alone are all
// that there are. More are extensions besides those of Extensions.
func Choose(list []string, more ...*Extension) (func(*Extension) bool, error) {
	registry := append(Extensions(), more...)
	change, signed := map[string]bool{}, 0
	for _, entry := range list {
		name := strings.TrimLeft(entry, "+-")
		if name != entry {
			signed++
		}
		if err := isExtension(registry, name); err != nil {
			return nil, err
		}
		change[name] = entry[0] != '-'
	}
	if signed != 0 && signed != len(list) {
		return nil, errors.New("some extensions begin with + or -, which changes the default; some do not, which replaces it")
	}
	return func(e *Extension) bool {
		if on, ok := change[e.Name]; ok {
			return on
		}
		return !e.Off && (signed > 0 || len(list) == 0) || e.isBase()
	}, nil
}

// isBase reports whether an extension is the language itself, or the name of a comparator that is always there: older
// scripts require these.
func (e *Extension) isBase() bool {
	return e.Name == "" || strings.HasPrefix(e.Name, "comparator-") && e.Comparators == nil
}

// isExtension says what is wrong with the name of an extension.
func isExtension(registry []*Extension, name string) error {
	hint := ""
	for _, e := range registry {
		if e.Name == name && name != "" {
			return nil
		}
		if isLike(e.Name, name) {
			hint = ": did you mean " + e.Name + "?"
		}
	}
	if why := refused[name]; why != "" {
		return fmt.Errorf("the extension %q is not supported: %s", name, why)
	}
	return fmt.Errorf("unknown extension %q%s", name, hint)
}
