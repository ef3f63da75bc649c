package delivery_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// play sends a message, its lines as a script has them after "C> ", to recipients who are all
// accepted and get it; or ends with another command instead.
func (f *fixture) play(t *testing.T, instead, content string, to ...string) {
	t.Helper()
	var b strings.Builder
	replies := len(to)
	if f.server.Protocol == lmtp.ESMTP {
		b.WriteString("only: esmtp\n")
		replies = 1
	}
	b.WriteString("U1\n")
	for _, path := range to {
		fmt.Fprintf(&b, "C> RCPT TO:<%s>\\r\\n\nS: 250 2.1.5\n", path)
	}
	if instead != "" {
		fmt.Fprintf(&b, "C: %s\nS: 250 2.0.0\n", instead)
	} else {
		fmt.Fprintf(&b, "C: DATA\nS: 354\nC> %s\nC: .\nS: 250 2.0.0 x%d\n", content, replies)
	}
	f.say(t, "pipe", b.String())
}

// wantMail checks how many messages are where: by user, and folder.
func (f *fixture) wantMail(t *testing.T, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for _, pattern := range []string{"new", ".*/new"} {
		files, err := filepath.Glob(filepath.Join(f.root, "dst.example/*/Maildir", pattern, "*"))
		must(t, err)
		for _, file := range files {
			place, err := filepath.Rel(filepath.Join(f.root, "dst.example"), filepath.Dir(filepath.Dir(file)))
			must(t, err)
			got[strings.Replace(place, "/Maildir", "", 1)]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s\nlog:\n%s", diff, f.log.String())
	}
}

func TestRules(t *testing.T) {
	rules := []route.Rule{
		{Field: "X-Spam-Flag", Test: route.RuleEquals, Value: "YES", Folder: ".Junk", Make: true},
		{Field: "X-Virus", Folder: ".Missing"},
		{Field: "x-virus", Folder: ".Second", Make: true},
		{Field: "List-Id", Test: route.RuleContains, Value: "<GO.example>", Folder: ".Lists.Go", Make: true,
			Domains: []string{"dst.example"}},
		{Field: "List-Id", Folder: ".Elsewhere", Make: true, Domains: []string{"elsewhere.example"}},
		{Field: "Subject", Test: route.RuleContains, Value: "grüße", Folder: ".Greetings", Make: true},
		{Field: "Subject", Test: route.RuleContains, Value: "пРивет", Folder: ".Cyrillic", Make: true},
		{Field: "X-Top", Which: route.RuleFirst, Test: route.RuleEquals, Value: "YES", Folder: ".First", Make: true},
		{Field: "X-End", Which: route.RuleLast, Test: route.RuleEquals, Value: "YES", Folder: ".Last", Make: true},
	}
	long := strings.Repeat("y", 70)
	for name, tt := range map[string]struct{ content, folder string }{
		"nothing fits":                    {`Subject: x\r\nX-Spam-Flag: NO\r\n\r\n`, ""},
		"equals":                          {`X-Spam-Flag: YES\r\n\r\n`, "/.Junk"},
		"case and space":                  {`x-spam-flag :\t yes \r\n\r\n`, "/.Junk"},
		"folded":                          {`X-Spam-Flag:\r\n YES\r\n\r\n`, "/.Junk"},
		"more than the value":             {`X-Spam-Flag: YES, very\r\n\r\n`, ""},
		"the second field":                {`X-Spam-Flag: NO\r\nX-Spam-Flag: YES\r\n\r\n`, "/.Junk"},
		"a continuation of another field": {`Subject: x\r\n X-Spam-Flag: YES\r\n\r\n`, ""},
		"in the body":                     {`Subject: x\r\n\r\nX-Spam-Flag: YES\r\n`, ""},
		"no header":                       {`\r\nX-Spam-Flag: YES\r\n`, ""},
		"no body":                         {`Subject: x\r\nX-Spam-Flag: YES\r\n`, "/.Junk"},
		"mbox line":                       {`From x Mon Nov 23 17:00:00 2026\r\nX-Spam-Flag: YES\r\n\r\n`, "/.Junk"},
		"first wins":                      {`List-Id: <go.example>\r\nX-Spam-Flag: YES\r\n\r\n`, "/.Junk"},
		"a missing folder is the inbox":   {`X-Virus: eicar\r\n\r\n`, ""},
		"contains":                        {`List-Id: Go\r\n people <go.Example>\r\n\r\n`, "/.Lists.Go"},
		"another domain":                  {`List-Id: <rust.example>\r\n\r\n`, ""},
		"UTF-8":                           {`Subject: Viele Gr\xc3\xbc\xc3\x9fe\r\n\r\n`, "/.Greetings"},
		"encoded words":                   {`Subject: =?iso-8859-1?Q?Viele_Gr=FC=DFe?=\r\n\r\n`, "/.Greetings"},
		"an unknown charset":              {`Subject: =?x-none?Q?Viele_Gr=FC=DFe?=\r\n\r\n`, ""},
		"an unknown charset beside": {`Subject: =?x-none?Q?=FC?= =?utf-8*de?B?R3LDvMOfZQ?=\r\n\r\n`,
			"/.Greetings"},
		"koi8-r":                     {`Subject: =?koi8-r?B?8PLp9+X0?=\r\n\r\n`, "/.Cyrillic"},
		"windows-1251, in parts":     {`Subject: =?cp1251?Q?=EF=F0=E8?=\r\n =?cp1251?B?4uXy?=\r\n\r\n`, "/.Cyrillic"},
		"NFD":                        {`Subject: Gru\xcc\x88\xc3\x9fe\r\n\r\n`, "/.Greetings"},
		"in capitals":                {`Subject: GR\xc3\x9cSSE\r\n\r\n`, "/.Greetings"},
		"the last of many":           {`«X-Spam-Flag: NO\r\n*200»X-Spam-Flag: YES\r\n\r\n`, "/.Junk"},
		"first is what it wants":     {`X-Top: YES\r\nX-Top: NO\r\n\r\n`, "/.First"},
		"first is not what it wants": {`X-Top: NO\r\nX-Top: YES\r\n\r\n`, ""},
		"last is what it wants":      {`«X-End: NO\r\n*200»X-End: YES\r\n\r\n`, "/.Last"},
		"last is not what it wants":  {`X-End: YES\r\nX-End: NO\r\n\r\n`, ""},
		"last of many, not that":     {`«X-End: YES\r\n*200»X-End: NO\r\n\r\n`, ""},
		"broken UTF-8":               {`Subject: \xff\xfe\r\nX-Spam-Flag: YES\r\n\r\n`, "/.Junk"},
		"after many lines":           {`Received: «` + long + `\r\n\t*80»\r\nX-Spam-Flag: YES\r\n\r\n`, "/.Junk"},
		"a field too long":           {`Subject: «` + long + `*118»\r\n gr\xc3\xbc\xc3\x9fe\r\n\r\n`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, "lmtp")
			f.router.Rules = rules
			f.play(t, "", tt.content, "u1@dst.example")
			f.shutdown(t)
			f.wantMail(t, map[string]int{"u1" + tt.folder: 1})
		})
	}
}

// TestRulesAndRecipients: one message, and where it is for several. A rule goes before a detail, so
// that copies for different folders may become one; each recipient has a reply all the same.
func TestRulesAndRecipients(t *testing.T) {
	to := []string{"u1+Lists@dst.example", "u1@dst.example", "u2@dst.example", "team@dst.example", "u1@dst.example"}
	for content, want := range map[string]map[string]int{
		`X-Spam-Flag: YES\r\n\r\n`: {"u1/.Junk": 1, "u2/.Junk": 1},
		`X-Spam-Flag: NO\r\n\r\n`:  {"u1/.Lists": 1, "u1": 1, "u2": 1},
	} {
		for _, protocol := range []string{"lmtp", "esmtp"} {
			for _, rrvs := range []bool{false, true} {
				f := newFixture(t, protocol)
				f.agent.RRVS = rrvs
				f.router.Rules = []route.Rule{{Field: "X-Spam-Flag", Test: route.RuleEquals, Value: "yes", Folder: ".Junk",
					Make: true}}
				f.router.Resolver.Domains["dst.example"].Details = route.DetailsFolder
				for _, sub := range []string{"cur", "new", "tmp"} {
					must(t, os.MkdirAll(filepath.Join(f.root, "dst.example/u1/Maildir/.Lists", sub), 0o700))
				}
				f.play(t, "", content, to...)
				f.shutdown(t)
				f.wantMail(t, maps.Clone(want))
			}
		}
	}
}

// TestRulesAreBounded: a header without an end is not kept for the rules, and is delivered.
func TestRulesAreBounded(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.server.Limits.MessageSize = 10 << 20
	f.router.Rules = []route.Rule{{Field: "X-Spam-Flag", Folder: ".Junk", Make: true}}
	f.play(t, "", `«X-Other: `+strings.Repeat("y", 60)+`\r\n*2000»X-Spam-Flag: YES\r\n\r\n`, "u1@dst.example")
	f.play(t, "", `«X-Spam-Flag: `+strings.Repeat("y", 60)+`\r\n*2000»\r\n`, "u2@dst.example")
	f.shutdown(t)
	f.wantMail(t, map[string]int{"u1": 1, "u2/.Junk": 1})
}
