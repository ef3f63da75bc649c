package config

import (
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Quota is the [quota] table: what is done about mailboxes that fill up. What each may hold is
// the account's.
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

// quotaSection describes [quota].
func quotaSection() section {
	return section{
		name: "quota",
		doc:  "Mailboxes that fill up. What each may hold is said with its account. See quota.md.",
		keys: []key{
			{
				name: "over_quota", fallback: `"defer"`,
				kind: choice(func(r *reader) *bool { return &r.config.Quota.Reject }, option[bool]{"defer", false}, option[bool]{"reject", true}),
				doc:  "What mail for a full mailbox is told: defer has the sender try again (452 4.2.2), reject has it come back at once (552 5.2.2).",
			},
			{
				name: "grace", kind: size(0, 1<<40, func(r *reader) *int64 { return &r.config.Quota.Grace }), fallback: `"10MiB"`,
				doc: "By how much the last message may go over the quota. A mailbox that is full takes no more.",
			},
			{
				name: "trash", fallback: `"ignore"`,
				kind: choice(func(r *reader) *bool { return &r.config.Quota.CountTrash }, option[bool]{"ignore", false}, option[bool]{"count", true}),
				doc:  "Whether what is in the folder Trash counts: ignore as Maildir++ says and Courier does, so that throwing away makes room at once; count as Dovecot does without the rule Trash:ignore.",
			},
			{
				name: "warn_at", kind: list("percentages", beginWarnAt, readWarnAt), fallback: `["80%", "95%"]`,
				doc: "The shares of a quota at which to warn, once when a message reaches them.",
			},
			{
				name: "warn_command", kind: list("a program and its arguments", ignoreLength, readWarnCommand), example: `["/usr/local/bin/quota-warning"]`,
				doc: "A program to run for each warning. It gets no shell, the warning as JSON on standard input, and in its environment. Default: none.",
			},
			{
				name: "warn_url", kind: text("a URL", readWarnURL), example: `"https://admin.example.org/quota"`,
				doc: "Where to post each warning to, as JSON. Default: nowhere.",
			},
			{
				name: "warn_timeout", kind: duration(time.Second, 10*time.Minute, func(r *reader) *time.Duration { return &r.config.Quota.WarnTimeout }), fallback: `"30s"`,
				doc: "How long the program may run, or the post may take.",
			},
		},
	}
}

func beginWarnAt(r *reader, v value, length int) {
	if length > maxThresholds {
		r.problems.add(v.place(), "must be at most "+itoa(maxThresholds)+" percentages", "")
	}
}

func readWarnAt(r *reader, v value, s string) {
	digits, isPercent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	switch at := &r.config.Quota.WarnAt; {
	case !isPercent || !isDigits(digits) || err != nil:
		hint := ""
		if isDigits(s) {
			hint = "write " + quote(s+"%")
		}
		r.problems.add(v.place(), quote(s)+" is not a percentage", hint)
	case n < 1 || n > 100:
		r.problems.add(v.place(), "must be 1% to 100%", "")
	case slices.Contains(*at, n):
		r.problems.add(v.place(), quote(s)+" is there twice", "")
	default:
		*at = append(*at, n)
		slices.Sort(*at)
	}
}

func readWarnCommand(r *reader, v value, s string) {
	command := &r.config.Quota.WarnCommand
	switch {
	case strings.Contains(s, "\x00"):
		r.problems.add(v.place(), "must not contain NUL", "")
		return
	case len(*command) == 0 && !filepath.IsAbs(s):
		hint := "write the whole path of the program"
		if strings.Contains(s, " ") {
			hint = "write the program and each of its arguments as a string of its own"
		}
		r.problems.add(v.place(), quote(s)+" is not an absolute path", hint)
	}
	*command = append(*command, s)
}

func readWarnURL(r *reader, v value, s string) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		r.problems.add(v.place(), quote(s)+" is not a URL of http or https", "")
		return
	}
	r.config.Quota.WarnURL = s
}
