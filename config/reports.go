package config

import (
	"net/mail"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Reports is the [reports] table: the reports of success that the server sends.
type Reports struct {
	// From is the content of their From field, in ASCII.
	From string
	// Header bounds, in octets, how much of the message's header they bring back.
	Header int64
	// PerSender is how many one reverse-path gets an hour.
	PerSender int
}

var reportsSection = table.Section[Reports]{
	Name: "reports",
	Doc: "The reports that the server sends to those who asked for them when their message was delivered (DSN, RFC " +
		"3461). They need [submission].",
	Keys: []table.Key[Reports]{
		{Name: "from", Example: `"Mail Delivery System <postmaster@example.org>"`,
			Kind: table.Parsed("a mailbox", parseFrom, func(r *Reports) *string { return &r.From }),
			Doc: "Whom a person may ask about a report, its From field. The envelope has the null reverse-path in any case. " +
				"Default: the postmaster of hostname."},
		{Name: "header", Kind: table.Size(0, 128<<10, func(r *Reports) *int64 { return &r.Header }), Default: `"32KiB"`,
			Doc: "How much of the message's header a report brings back. A longer one is cut."},
		{Name: "per_sender", Kind: table.Count(1, 1_000_000, func(r *Reports) *int { return &r.PerSender }), Default: "20",
			Doc: "How many reports one sender gets an hour; two and a half times as many may come at once. All senders " +
				"get at most 600 a minute. Above that DSN is not offered for a while, and what is asked for is dropped."},
	},
}

// maxFrom is the longest From field, in octets.
const maxFrom = 300

// parseFrom takes a mailbox for the From field, which is in ASCII for every reader.
func parseFrom(s string) (string, error) {
	const write = `write "Mail Delivery System <postmaster@example.org>"`
	parsed, err := mail.ParseAddress(s)
	if err != nil || len(s) > maxFrom {
		return "", hint.New(hint.Quote(s)+" is not a name with an address, or an address", write)
	}
	a, err := address.Parse(parsed.Address)
	if err != nil {
		return "", hint.New(hint.Quote(parsed.Address)+" is not an address", write)
	}
	ascii, ok := a.Header(false)
	if !ok {
		return "", hint.New(hint.Quote(parsed.Address)+" cannot be written in ASCII, which some senders need",
			"write an address with an ASCII name")
	}
	parsed.Address = ascii
	if parsed.Name == "" {
		return ascii, nil
	}
	return strings.TrimSpace(parsed.String()), nil
}

// check sets the From field to its default, and finds one that is never sent, as there is no MTA.
func (r *Reports) check(t table.Table, hostname string, hasMTA bool) {
	if r.From == "" {
		r.From = "Mail Delivery System <postmaster@" + hostname + ">"
	}
	if v := t.Value("from"); v != nil && !hasMTA {
		v.Warn("no report is sent without [submission]", `write [submission] and server = "tcp:127.0.0.1:25"`)
	}
}
