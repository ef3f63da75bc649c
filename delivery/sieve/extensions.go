package sieve

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
		editheader(),
		encodedCharacter(),
		envelope(),
		environment(),
		ereject(),
		fileinto(),
		ihave(),
		imap4flags(),
		include(),
		indexExtension(),
		mailboxExtension(),
		regexExtension(),
		reject(),
		relational(),
		subaddress(),
		variables(),
		vndEnvironment(),
	}
}
