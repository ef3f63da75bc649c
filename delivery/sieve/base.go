package sieve

// base is the language without extensions (RFC 5228), and the comparators that are always there (RFC 5228 §2.7.3).
func base() *Extension {
	return &Extension{
		Standard: "RFC 5228",
		Definitions: []*Definition{
			requireCommand(), ifCommand(), elsifCommand(), elseCommand(), stopCommand(),
			keepCommand(), discardCommand(), redirectCommand(),
			trueTest(), falseTest(), notTest(), allofTest(), anyofTest(),
			headerTest(), existsTest(), addressTest(), sizeTest(),
		},
		Comparators: []*Comparator{octet(), asciiCasemap(), unicodeCasemap()},
		Matches:     []*MatchType{is(), contains(), matches()},
		Parts:       []*AddressPart{allPart(), localPart(), domainPart()},
	}
}
