package delivery_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
	"github.com/google/go-cmp/cmp"
)

// TestLeftOut: when an alias is answered 250 the sender gets a report of failure because of the mailboxes that refuse
// for good, unless he wants none, and none at any other time.
func TestLeftOut(t *testing.T) {
	const (
		mail  = "C: MAIL FROM:<s@src.example>\nS: 250 2.1.0\n"
		short = "C: DATA\nS: 354\nC: Subject: x\nC: \nC: x\nC: .\n"
		long  = "C: DATA\nS: 354\nC> «y*2500»\\r\\n.\\r\\n\n"
		ok    = "S: 250 2.0.0\n"
	)
	rcpt := func(params string) string { return "C: RCPT TO:<list@dst.example>" + params + "\nS: 250 2.1.5\n" }
	for _, tt := range []struct {
		name, members, text string
		want                []string // of each report: the local part, and what is said
	}{
		{"disabled", "u1 off", mail + rcpt("") + short + ok, []string{"list 550 5.2.1 mailbox is disabled"}},
		{"not there", "u1 nobody", mail + rcpt("") + short + ok, []string{"list 550 5.1.1 no such mailbox here"}},
		{"failure is wanted", "u1 off", mail + rcpt(" NOTIFY=FAILURE,DELAY") + short + ok,
			[]string{"list 550 5.2.1 mailbox is disabled"}},
		{"none is wanted", "u1 off", mail + rcpt(" NOTIFY=NEVER") + short + ok, nil},
		{"only delay is wanted", "u1 off", mail + rcpt(" NOTIFY=DELAY") + short + ok, nil},
		{"only success is wanted", "u1 off", mail + rcpt(" NOTIFY=SUCCESS") + short + ok, []string{"list"}},
		{"one word of both", "u1 off", mail + rcpt(" NOTIFY=SUCCESS,FAILURE") + short + ok,
			[]string{"list 550 5.2.1 mailbox is disabled"}},
		{"success of both", "u1 u2", mail + rcpt(" NOTIFY=SUCCESS,FAILURE") + short + ok, []string{"list"}},
		{"nothing failed", "u1 u2", mail + rcpt("") + short + ok, nil},
		{"null sender", "u1 off", "C: MAIL FROM:<>\nS: 250 2.1.0\n" + rcpt("") + short + ok, nil},
		{"sender who cannot be addressed", "u1 off", "with: lenient\nC> MAIL FROM:<s\\xff@src.example>\\r\\n\n" +
			"S: 250 2.1.0\n" + rcpt("") + short + ok, nil},
		{"full before the content", "u1 full", "with: over-quota-reject\n" + mail + rcpt("") + short + ok,
			[]string{"list 552 5.2.2 mailbox is full"}},
		{"full with the content", "u1 small", "with: over-quota-reject\n" + mail + rcpt("") + long + ok,
			[]string{"list 552 5.2.2 mailbox is full"}},
		{"full with the content, one word of both", "u1 small", "with: over-quota-reject\n" + mail +
			rcpt(" NOTIFY=SUCCESS,FAILURE") + long + ok, []string{"list 552 5.2.2 mailbox is full"}},
		{"before and with the content", "u1 small off", "with: over-quota-reject\n" + mail + rcpt("") + long + ok,
			[]string{"list 550 5.2.1 mailbox is disabled; 552 5.2.2 mailbox is full"}},
		{"by the header", "u1 u2", "with: rrvs\n" + mail + rcpt("") + "C: DATA\nS: 354\n" +
			"C: Require-Recipient-Valid-Since: list@dst.example; Thu, 3 Apr 2014 23:01:00 +0000\nC: \nC: x\nC: .\n" + ok,
			[]string{"list 550 5.7.17 the mailbox has another owner since"}},
		{"two alike", "u1 off nobody nobody2", mail + rcpt("") + short + ok,
			[]string{"list 550 5.2.1 mailbox is disabled; 550 5.1.1 no such mailbox here"}},
		{"all refuse", "off", mail + "C: RCPT TO:<list@dst.example>\nS: 550 5.2.1\n", nil},
		{"all refuse in the end", "small off", "with: over-quota-reject\n" + mail + rcpt("") + long + "S: 552 5.2.2\n", nil},
		{"deferred for another", "u1 off broken", mail + rcpt("") + short + "S: 451 4.2.0\n", nil},
		{"not accepted", "u1 off", mail + rcpt("") + "C: RSET\nS: 250 2.0.0\n", nil},
		{"by ESMTP", "u1 off", "only: esmtp\n" + mail + rcpt("") + short + ok,
			[]string{"list 550 5.2.1 mailbox is disabled"}},
		{"by ESMTP, beside one who is deferred", "u1 off", "only: esmtp\n" + mail + rcpt("") +
			"C: RCPT TO:<broken@dst.example>\nS: 250 2.1.5\n" + short + "S: 451 4.2.0\n", nil},
		{"beside one of success", "u1 off", mail + rcpt("") + "C: RCPT TO:<u2@dst.example> NOTIFY=SUCCESS\nS: 250 2.1.5\n" +
			short + ok + ok, []string{"list 550 5.2.1 mailbox is disabled", "u2"}},
		{"the same account for itself", "u1 small", "with: over-quota-reject\n" + mail +
			"C: RCPT TO:<small@dst.example>\nS: 250 2.1.5\n" + rcpt("") + long + "S: 552 5.2.2\n" + ok,
			[]string{"list 552 5.2.2 mailbox is full"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, protocol := tt.text, "lmtp"
			head := ""
			for strings.HasPrefix(text, "with: ") || strings.HasPrefix(text, "only: ") {
				line, rest, _ := strings.Cut(text, "\n")
				head, text = head+line+"\n", rest
				if line == "only: esmtp" {
					protocol = "esmtp"
				}
			}
			script, err := lmtptest.Parse(tt.name, head+"P0\n"+text)
			must(t, err)
			f := newFixture(t, protocol)
			f.router.Resolver.Directory = lists{f.router.Resolver.Directory, map[string]string{"list": tt.members}}
			box := owes(t, f, outbox.Options{})
			f.with(t, script.With)
			f.talk(t, "pipe", script)
			f.shutdown(t)
			if diff := cmp.Diff(tt.want, said(reports(t, box))); diff != "" {
				t.Errorf("%s\n%s", diff, f.log.String())
			}
			for late := time.Now().Add(time.Minute); f.litter(t); runtime.Gosched() { // it is removed after the reply
				if time.Now().After(late) {
					t.Fatal("the outbox's tmp is not clean")
				}
			}
		})
	}
}

// said is what reports say, in the order of their recipients.
func said(list []outbox.Entry) (texts []string) {
	for _, e := range list {
		text := strings.TrimSuffix(e.Final, "@dst.example")
		for i, failure := range e.Failures {
			text += []string{" ", "; "}[min(i, 1)] + failure.Reply
			if !strings.Contains(failure.Reply, " "+failure.Status+" ") {
				text += " (" + failure.Status + ")"
			}
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}

// TestLeftOutInTheEnd: an alias that is deferred for one mailbox owes the report because of another once, when it is
// answered 250.
func TestLeftOutInTheEnd(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.remember(t)
	f.router.Resolver.Directory = lists{f.router.Resolver.Directory, map[string]string{"list": "u1 off broken"}}
	box := owes(t, f, outbox.Options{})
	deferred := attempt("C: b\n", "250 2.1.5", "451 4.2.0")
	say := func(text string) {
		script, err := lmtptest.Parse(t.Name(), "P0\n"+text)
		must(t, err)
		f.talk(t, "pipe", script)
	}
	say(deferred + deferred)
	if got := reports(t, box); got != nil {
		t.Errorf("while it is deferred: %v", got)
	}
	must(t, os.Remove(filepath.Join(f.root, "dst.example", "broken", "Maildir")))
	say(attempt("C: b\n", "250 2.1.5", "250 2.0.0"))
	f.shutdown(t)
	want := []string{"list 550 5.2.1 mailbox is disabled"}
	if diff := cmp.Diff(want, said(reports(t, box))); diff != "" {
		t.Errorf("%s\n%s", diff, f.log.String())
	}
}

// TestLeftOutWithoutOutbox: without one nothing is reported, and the others have the message; with one that cannot be
// written to the alias is deferred, as the client would not report either; what is found out after the others have the
// message is lost, and the log says so.
func TestLeftOutWithoutOutbox(t *testing.T) {
	for _, tt := range []struct {
		name, members, reply, log string
		without                   bool
		u1                        int
	}{
		{"none", "u1 off", "250 2.0.0", "", true, 1},
		{"spoiled", "u1 off", "451 4.3.0", "rule=outbox", false, 0},
		{"spoiled, and found out late", "u1 small", "250 2.0.0", `msg="report dropped" reason=lost`, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, "lmtp")
			f.router.RejectFull = true
			f.router.Resolver.Directory = lists{f.router.Resolver.Directory, map[string]string{"list": tt.members}}
			if !tt.without {
				owes(t, f, outbox.Options{})
				dir, err := filepath.Glob(filepath.Join(filepath.Dir(f.root), "*", "outbox", "tmp"))
				must(t, errors.Join(err, os.RemoveAll(dir[0])))
			}
			f.playAll(t, attempt("C> «y*2500»\\r\\n\n", "250 2.1.5", tt.reply)+fmt.Sprintf("in u1: %d\n", tt.u1))
			if log := f.log.String(); !strings.Contains(log, tt.log) {
				t.Error(log)
			}
		})
	}
}
