package config

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Domain is one [[domain]] table.
type Domain struct {
	// Name and Aliases are as written; U-labels stay U-labels.
	Name    string
	Aliases []string
	// Keys are address.DomainKey of Name and of each alias, Name's first.
	Keys []string
	// CatchAll takes what no account matches; the zero Address if there is none.
	CatchAll address.Address
	// Subaddress holds the delimiters, each an ASCII character; "" for none.
	Subaddress string
	// Details says what becomes of mail with a detail.
	Details Details
	// Policy makes the keys of this domain's local parts.
	Policy address.LocalPolicy
}

// Details says what becomes of mail with a subaddress's detail.
type Details string

// What to do with a detail.
const (
	DetailsInbox  Details = "inbox"  // nothing
	DetailsFolder Details = "folder" // into the folder of that name, if there is one
	DetailsCreate Details = "create" // into that folder, which is made if it is missing
)

var domainSection = table.Section[Domain]{
	Name: "domain",
	Doc:  "A domain to take mail for. At least one is needed.",
	Keys: slices.Concat([]table.Key[Domain]{
		{Name: "name", Example: `"example.org"`, Required: true,
			Kind: table.Parsed("a domain", parseDomainName, func(d *Domain) *string { return &d.Name }),
			Doc:  "The domain. Internationalized names can be in either spelling, and match both."},
		{Name: "aliases", Default: "[]", Example: `["example.net"]`,
			Kind: table.ParsedList("domains", nil, parseDomainName, func(d *Domain) *[]string { return &d.Aliases }),
			Doc:  "Other names of the same domain."},
		{Name: "catch_all", Example: `"postmaster@example.org"`,
			Kind: table.Parsed("an address", parseAddress, func(d *Domain) *address.Address { return &d.CatchAll }),
			Doc: "The account or alias that takes what no other does, with a detail if you like. Default: unknown recipients " +
				"are refused."},
	}, domainRules),
}

// domainRules are the keys of a [[domain]] that can stand in a [[directory]] too, for the domains that only the
// directory knows.
var domainRules = []table.Key[Domain]{
	{Name: "subaddress", Kind: table.List("characters out of "+delimiters, nil, addDelimiter), Default: `["+"]`,
		Doc: "What may separate an account from a detail, as in alice+lists@example.org; [] for nothing."},
	{Name: "detail", Default: `"inbox"`,
		Kind: table.Word(func(d *Domain) *Details { return &d.Details }, DetailsInbox, DetailsFolder, DetailsCreate),
		Doc: "Where mail with a detail goes: inbox, or the folder that the detail names in any case, if it exists; dots " +
			"separate its levels. create makes the folder, within limits.folders. The sender chooses the detail. See " +
			"folders.md."},
	{Name: "case", Default: `"fold"`,
		Kind: table.Choice(func(d *Domain) *bool { return &d.Policy.Fold },
			table.Option[bool]{Word: "fold", Means: true}, table.Option[bool]{Word: "exact"}),
		Doc: "Whether Alice and alice are the same account: fold says yes, exact no."},
	{Name: "normalize", Default: `"nfc"`,
		Kind: table.Either(func(d *Domain) *bool { return &d.Policy.NFKC }, "nfc", "nfkc"),
		Doc: "Which spellings in Unicode are the same account: nfc unites composed and decomposed letters, nfkc also " +
			"full-width and other compatibility forms."},
}

// delimiters are the characters that may separate a detail: what can stand in a local part without quotes, letters
// and digits left out (RFC 5321 §4.1.2).
const delimiters = "!#$%&'*+-./=?^_`{|}~"

func addDelimiter(d *Domain, _ *table.Value, s string) error {
	switch {
	case len(s) != 1 || !strings.Contains(delimiters, s):
		return hint.New(hint.Quote(s)+" is not a delimiter", "one of "+delimiters)
	case strings.Contains(d.Subaddress, s):
		return hint.New(hint.Quote(s)+" is there twice", "")
	}
	d.Subaddress += s
	return nil
}

// checkDetails refuses that strangers make directories in the homes of users: ~/.ssh would be a folder's.
func (d *Domain) checkDetails(t table.Table, s Store) {
	if v := t.Value("detail"); v != nil && d.Details == DetailsCreate && s.Path == "{home}" {
		v.Add("would let any sender make directories in home directories, such as ~/.ssh",
			`write store.path = "{home}/Maildir", or detail = "folder"`)
	}
}
