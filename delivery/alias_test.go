package delivery_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// lists is a directory with more aliases in dst.example.
type lists struct {
	directory.Directory
	targets map[string]string
}

func (l lists) Lookup(ctx context.Context, key directory.Key) (directory.Entry, error) {
	if text, ok := l.targets[key.Local]; ok {
		entry := directory.Entry{}
		for local := range strings.FieldsSeq(text) {
			entry.Targets = append(entry.Targets, local+"@dst.example")
		}
		return entry, nil
	}
	return l.Directory.Lookup(ctx, key)
}

// TestAliasMembers: what becomes of an alias for several because of one of them.
func TestAliasMembers(t *testing.T) {
	const (
		none  = "\n\t\t\tin u1: 0\n\t\t\tin u2: 0"
		begun = `
			P1
			C: RCPT TO:<list@dst.example>
			S: 250 2.1.5
			C: DATA
			S: 354`
		short = begun + `
			C: b
			C: .`
		long = begun + `
			C> «y*2500»\r\n.\r\n`
	)
	for _, tt := range []struct {
		name, members string
		script        string
		log           []string // expressions
	}{
		{"a mailbox that cannot be written defers all", "u1 broken u2", short + `
			S: 451 4.2.0
			C: MAIL FROM:<a@src.example>
			S: 250 2.1.0
			C: RCPT TO:<list@dst.example>
			S: 250 2.1.5
			C> BDAT 3 LAST\r\nb\r\n
			S: 451 4.2.0` + none,
			[]string{`msg=refused .*transaction=\S+1 .*mailbox=broken@dst.example .*rule=maildir`,
				`msg=refused .*transaction=\S+1 .*mailbox=u1@dst.example .*rule=together`,
				`msg=refused .*transaction=\S+2 .*mailbox=u2@dst.example .*rule=together`}},
		{"and one that turns out to be full for now", "u1 u2 small", long + `
			S: 452 4.2.2
			in small: 0` + none,
			[]string{`msg=refused .*mailbox=small@dst.example .*rule=quota .*code="452 4.2.2"`}},
		{"and not one that turns out to be full for good", "small u1 u2", `
			with: over-quota-reject` + long + `
			S: 250 2.0.0
			in small: 0
			in u1: 1
			in u2: 1`,
			[]string{`msg=refused .*mailbox=small@dst.example .*rule=quota .*code="552 5.2.2"`}},
		{"unless it is the only one", "small off", `
			with: over-quota-reject` + long + `
			S: 552 5.2.2
			in small: 0`, nil},
		{"for now goes before for good", "small u1 broken u2", `
			with: over-quota-reject` + long + `
			S: 451 4.2.0
			in small: 0` + none, nil},
		{"one with another owner by the header is left out", "u1 u2", `
			with: rrvs` + begun + `
			C: Require-Recipient-Valid-Since: list@dst.example; Thu, 3 Apr 2014 23:01:00 +0000
			C:
			C: b
			C: .
			S: 250 2.0.0
			in u1: 1
			in u2: 0`,
			[]string{`msg=refused .*mailbox=u2@dst.example .*rule=owner_since`}},
		{"a loop is no matter of one", "u1 u2", begun + `
			C> «Received: x\r\n*101»\r\n.\r\n
			S: 554 5.4.6` + none, nil},
		{"a mailbox that is disabled for good is left out", "u1 off", short + `
			S: 250 2.0.0
			in u1: 1`,
			[]string{`msg=refused .*to=list@dst.example mailbox=off@dst.example rule=disabled .*code="550 5.2.1"`}},
		{"and one that is not there", "u1 nobody", short + `
			S: 250 2.0.0
			in u1: 1`,
			[]string{`msg=refused .*to=list@dst.example mailbox=nobody@dst.example rule=account .*code="550 5.1.1"`}},
		{"and one that is full for good", "u1 full", `
			with: over-quota-reject` + short + `
			S: 250 2.0.0
			in u1: 1
			in full: 0`,
			[]string{`msg=refused .*to=list@dst.example mailbox=full@dst.example rule=quota .*code="552 5.2.2"`}},
		{"and one that takes no internationalized mail", "legacy u1", `
			U1
			C: RCPT TO:<list@dst.example>
			S: 250 2.1.5
			C: DATA
			S: 354
			C: b
			C: .
			S: 250 2.0.0
			in u1: 1
			in legacy: 0`,
			[]string{`msg=refused .*to=list@dst.example mailbox=legacy@dst.example rule=eai .*code="550 5.6.9"`}},
		{"and one that had another owner", "u2 u1", `
			with: rrvs
			P1
			C: RCPT TO:<list@dst.example> RRVS=2014-04-03T23:01:00Z
			S: 250 2.1.5
			C: DATA
			S: 354
			C: b
			C: .
			S: 250 2.0.0
			in u1: 1
			in u2: 0`,
			[]string{`msg=refused .*to=list@dst.example mailbox=u2@dst.example rule=owner_since .*code="550 5.7.17"`}},
		{"who refuse all", "off full", `
			with: over-quota-reject
			P1
			C: RCPT TO:<list@dst.example>
			S: 550 5.2.1`,
			[]string{`msg=refused .*to=list@dst.example mailbox=off@dst.example rule=disabled`}},
		{"one that is disabled for now defers all", "u1 busy off", `
			P1
			C: RCPT TO:<list@dst.example>
			S: 450 4.2.1
			in u1: 0`,
			[]string{`msg=refused .*to=list@dst.example mailbox=busy@dst.example rule=disabled .*code="450 4.2.1"`}},
		{"and one that is full for now", "off u1 full", `
			P1
			C: RCPT TO:<list@dst.example>
			S: 452 4.2.2
			in u1: 0`,
			[]string{`msg=refused .*to=list@dst.example mailbox=full@dst.example rule=quota .*code="452 4.2.2"`}},
	} {
		for _, protocol := range []string{"lmtp", "esmtp"} {
			t.Run(tt.name+"/"+protocol, func(t *testing.T) {
				text := "only: " + protocol + strings.ReplaceAll(tt.script, "\n\t\t\t", "\n")
				script, err := lmtptest.Parse(tt.name, text)
				must(t, err)
				f := newFixture(t, protocol)
				f.router.Resolver.Directory = lists{f.router.Resolver.Directory, map[string]string{"list": tt.members}}
				f.playScript(t, script)
				for _, want := range tt.log {
					if n := len(regexp.MustCompile(want).FindAllString(f.log.String(), -1)); n != 1 {
						t.Errorf("%d lines of the log match %s:\n%s", n, want, f.log)
					}
				}
			})
		}
	}
}

// TestAliasBesideOthers: what an alias has in common with other recipients of the message.
func TestAliasBesideOthers(t *testing.T) {
	for _, tt := range []struct{ name, script string }{
		{"a mailbox gets the message for itself, though not for the alias", `
			P1
			C: RCPT TO:<list@dst.example>
			S: 250 2.1.5
			C: RCPT TO:<u1@dst.example>
			S: 250 2.1.5
			C: RCPT TO:<team@dst.example>
			S: 250 2.1.5
			C: RCPT TO:<broken@dst.example>
			S: 250 2.1.5
			C: DATA
			S: 354
			C: b
			C: .
			S: 451 4.2.0
			S: 250 2.0.0
			S: 250 2.0.0
			S: 451 4.2.0
			in u1: 1
			in u2: 1
			in u3: 0`},
		{"by ESMTP nobody has it unless all have", `
			only: esmtp
			P1
			C: RCPT TO:<u1@dst.example>
			S: 250 2.1.5
			C: RCPT TO:<list@dst.example>
			S: 250 2.1.5
			C: DATA
			S: 354
			C: b
			C: .
			S: 451 4.2.0
			in u1: 0
			in u3: 0`},
		{"by ESMTP one that is full for good is no member of an alias alone", `
			only: esmtp
			with: over-quota-reject
			P1
			C: RCPT TO:<part@dst.example>
			S: 250 2.1.5
			C: RCPT TO:<small@dst.example>
			S: 250 2.1.5
			C: DATA
			S: 354
			C> «y*2500»\r\n.\r\n
			S: 552 5.2.2
			in u1: 0`},
		{"by PRDR each has its reply", `
			only: esmtp
			P0
			C: MAIL FROM:<a@src.example> PRDR
			S: 250 2.1.0
			C: RCPT TO:<list@dst.example>
			S: 250 2.1.5
			C: RCPT TO:<u1@dst.example>
			S: 250 2.1.5
			C: DATA
			S: 354
			C: b
			C: .
			S: 353
			S: 451 4.2.0
			S: 250 2.0.0
			S: 250 2.0.0
			in u1: 1
			in u3: 0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script, err := lmtptest.Parse(tt.name, strings.ReplaceAll(tt.script, "\n\t\t\t", "\n"))
			must(t, err)
			f := newFixture(t, script.Protocol)
			f.router.Resolver.Directory = lists{f.router.Resolver.Directory,
				map[string]string{"list": "u3 u1 broken", "part": "u1 small"}}
			f.playScript(t, script)
		})
	}
}
