package config

import (
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A Quota is the [quota] table: what is done about mailboxes that fill up. What each may hold is the account's.
type Quota struct {
	// Reject refuses mail for full mailboxes for good.
	Reject bool
	// Grace is by how many octets the last message may go over.
	Grace int64
	// CountTrash counts the folder Trash too.
	CountTrash bool
	// WarnAt are shares of a quota in percent, in order; each once.
	WarnAt []int
	// WarnCommand is a program with its arguments, its path absolute; nil for none.
	WarnCommand []string
	// WarnURL is where warnings are posted to, "" for nowhere.
	WarnURL string
	// WarnTimeout bounds either.
	WarnTimeout time.Duration
}

// maxThresholds bounds the shares at which to warn.
const maxThresholds = 10

var quotaSection = table.Section[Quota]{
	Name: "quota",
	Doc:  "Mailboxes that fill up. What each may hold is set with its account. See quota.md.",
	Keys: []table.Key[Quota]{
		{Name: "over_quota", Default: `"defer"`,
			Kind: table.Either(func(q *Quota) *bool { return &q.Reject }, "defer", "reject"),
			Doc: "The answer to mail for a full mailbox: defer has the sender try again (452 4.2.2), reject has it come " +
				"back at once (552 5.2.2)."},
		{Name: "grace", Kind: table.Size(0, 1<<40, func(q *Quota) *int64 { return &q.Grace }), Default: `"10MiB"`,
			Doc: "By how much the last message may go over the quota. A mailbox that is full takes no more."},
		{Name: "trash", Default: `"ignore"`,
			Kind: table.Either(func(q *Quota) *bool { return &q.CountTrash }, "ignore", "count"),
			Doc: "Whether what is in the folder Trash counts: ignore as Maildir++ says and Courier does, so that throwing " +
				"away makes room at once; count as Dovecot does without the rule Trash:ignore. Mail that comes into Trash " +
				"needs room with either."},
		{Name: "warn_at", Kind: table.List("percentages", checkWarnLength, addWarnAt), Default: `["80%", "95%"]`,
			Doc: "The shares of a quota at which to warn, once when a message reaches them."},
		{Name: "warn_command", Example: `["/usr/local/bin/quota-warning"]`,
			Kind: table.List("a program and its arguments", nil, addToWarnCommand),
			Doc: "A program to run for each warning. It gets no shell, the warning as JSON on standard input, and in its " +
				"environment. Default: none."},
		{Name: "warn_url", Example: `"https://admin.example.org/quota"`,
			Kind: table.Parsed("a URL", parseHTTP, func(q *Quota) *string { return &q.WarnURL }),
			Doc:  "Where to post each warning to, as JSON. Default: nowhere."},
		{Name: "warn_timeout", Default: `"30s"`,
			Kind: table.Duration(time.Second, 10*time.Minute, func(q *Quota) *time.Duration { return &q.WarnTimeout }),
			Doc:  "How long the program may run, or the post may take."},
	},
}

func checkWarnLength(length int) error {
	if length > maxThresholds {
		return hint.New("must be at most "+strconv.Itoa(maxThresholds)+" percentages", "")
	}
	return nil
}

func addWarnAt(q *Quota, _ *table.Value, s string) error {
	digits, isPercent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case !isPercent || !isDigits(digits) || err != nil:
		suggestion := ""
		if isDigits(s) {
			suggestion = "write " + hint.Quote(s+"%")
		}
		return hint.New(hint.Quote(s)+" is not a percentage", suggestion)
	case n < 1 || n > 100:
		return hint.New("must be 1% to 100%", "")
	case slices.Contains(q.WarnAt, n):
		return hint.New(hint.Quote(s)+" is there twice", "")
	}
	q.WarnAt = append(q.WarnAt, n)
	slices.Sort(q.WarnAt)
	return nil
}

func addToWarnCommand(q *Quota, _ *table.Value, s string) error {
	if strings.Contains(s, "\x00") {
		return hint.New("must not contain NUL", "")
	}
	q.WarnCommand = append(q.WarnCommand, s)
	if len(q.WarnCommand) == 1 && !filepath.IsAbs(s) {
		suggestion := "write the whole path of the program"
		if strings.Contains(s, " ") {
			suggestion = "write the program and each of its arguments as a string of its own"
		}
		return hint.New(hint.Quote(s)+" is not an absolute path", suggestion)
	}
	return nil
}

// parseHTTP takes a URL to post to.
func parseHTTP(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", hint.New(hint.Quote(s)+" is not a URL of http or https", "")
	}
	return s, nil
}
