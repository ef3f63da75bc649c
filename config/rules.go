package config

// domainRules are the keys of a [[domain]] that can stand in a [[directory]] too, for the domains
// that only the directory knows.
func domainRules() []key {
	return []key{
		{
			name: "subaddress", kind: list("characters out of "+delimiters, ignoreLength, readDelimiter), fallback: `["+"]`,
			doc: "What may separate an account from a detail, as in alice+lists@example.org; [] for nothing.",
		},
		{
			name: "detail", fallback: `"inbox"`,
			kind: choice(func(r *reader) *Details { return &r.domain.Details }, option[Details]{"inbox", DetailsInbox}, option[Details]{"folder", DetailsFolder}, option[Details]{"create", DetailsCreate}),
			doc:  "Where mail with a detail goes: inbox, or the folder that the detail names exactly, where the account has made one; dots separate its levels. create makes the folder, within limits.folders. Whoever sends mail chooses the detail. See folders.md.",
		},
		{
			name: "case", fallback: `"fold"`,
			kind: choice(func(r *reader) *bool { return &r.domain.Policy.Fold }, option[bool]{"fold", true}, option[bool]{"exact", false}),
			doc:  "Whether Alice and alice are the same account: fold says yes, exact no.",
		},
		{
			name: "normalize", fallback: `"nfc"`,
			kind: choice(func(r *reader) *bool { return &r.domain.Policy.NFKC }, option[bool]{"nfc", false}, option[bool]{"nfkc", true}),
			doc:  "Which spellings in Unicode are the same account: nfc unites composed and decomposed letters, nfkc also full-width and other compatibility forms.",
		},
	}
}
