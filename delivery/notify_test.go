package delivery_test

import (
	"context"
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
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
	"github.com/google/go-cmp/cmp"
)

// owes gives a fixture an outbox, and returns it.
func owes(t *testing.T, f *fixture, o outbox.Options) *outbox.Box {
	t.Helper()
	o.Dir, o.Host = filepath.Join(t.TempDir(), "outbox"), "mx.dst.example"
	box, err := outbox.Open(o)
	must(t, err)
	t.Cleanup(box.Close)
	f.agent.Outbox = box
	f.server.Extensions.DSN = func() bool { return true }
	return box
}

// reports are those that wait in an outbox.
func reports(t *testing.T, box *outbox.Box) (list []outbox.Entry) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	left := box.State().Entries
	if left == 0 {
		return nil
	}
	box.Run(ctx, func(_ context.Context, group []outbox.Entry) outbox.Verdict {
		list = append(list, group...)
		if left -= len(group); left == 0 {
			cancel()
		}
		return outbox.Verdict{}
	})
	return list
}

func playScript(t *testing.T, f *fixture, protocol, text string) {
	t.Helper()
	script, err := lmtptest.Parse(t.Name(), "only: "+protocol+"\n"+text)
	must(t, err)
	if err := script.Play(f.connect(t, "pipe"), lmtptest.LockStep); err != nil {
		t.Fatalf("%v\nlog:\n%s", err, f.log.String())
	}
	f.shutdown(t)
}

// DSN-12 to DSN-18, DSN-25: whoever has the message and asked for success is reported of, once, and nobody else.
func TestReports(t *testing.T) {
	const mail = "P0\nC: MAIL FROM:<s@src.example>\nS: 250 2.1.0\n"
	const prdr = "P0\nC: MAIL FROM:<s@src.example> PRDR\nS: 250 2.1.0\n"
	const null = "P0\nC: MAIL FROM:<>\nS: 250 2.1.0\n"
	const content = "C: DATA\nS: 354\nC: Subject: x\nC: \nC: x\nC: .\n"
	const ok, bad, two = "S: 250 2.0.0\n", "S: 451 4.2.0\n", "S: 250 2.0.0 x2\n"
	rcpt := func(local, params, reply string) string {
		return fmt.Sprintf("C: RCPT TO:<%s@dst.example>%s\nS: %s\n", local, params, reply)
	}
	taken := func(local string) string { return rcpt(local, "", "250 2.1.5") }
	asks := func(local string) string { return rcpt(local, " NOTIFY=SUCCESS", "250 2.1.5") }
	for name, tt := range map[string]struct {
		protocol, text string
		want           []string // local parts
	}{
		"matrix": {"lmtp", mail + rcpt("u1", " NOTIFY=SUCCESS,FAILURE", "250 2.1.5") +
			rcpt("u2", " NOTIFY=FAILURE", "250 2.1.5") + taken("u3") + rcpt("kate", " NOTIFY=NEVER", "250 2.1.5") +
			content + two + two, []string{"u1"}},
		"null sender": {"lmtp", null + asks("u1") + content + ok, nil},
		"refused at RCPT": {"lmtp", mail + rcpt("nx", " NOTIFY=SUCCESS", "550 5.1.1") +
			rcpt("full", " NOTIFY=SUCCESS", "452 4.2.2"), nil},
		"fails in the end":   {"lmtp", mail + asks("broken") + asks("u1") + content + bad + ok, []string{"u1"}},
		"alias":              {"lmtp", mail + asks("team") + content + ok, []string{"team"}},
		"alias that fails":   {"lmtp", mail + asks("crew") + content + bad, nil},
		"one mailbox, twice": {"lmtp", mail + asks("u1") + asks("sales") + content + two, []string{"sales", "u1"}},
		"ESMTP":              {"esmtp", mail + asks("u1") + asks("u2") + taken("u3") + content + ok, []string{"u1", "u2"}},
		"ESMTP that fails":   {"esmtp", mail + asks("u1") + taken("broken") + content + bad, nil},
		"PRDR": {"esmtp", prdr + asks("u1") + asks("broken") + content + "S: 353\n" + ok + bad + ok,
			[]string{"u1"}},
		"dropped": {"lmtp", mail + asks("u1") + "C: RSET\n" + ok, nil},
		"BDAT":    {"lmtp", mail + asks("u1") + "C> BDAT 3 LAST\\r\\nx\\r\\n\n" + ok, []string{"u1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, tt.protocol)
			box := owes(t, f, outbox.Options{})
			playScript(t, f, tt.protocol, tt.text)
			var got []string
			for _, e := range reports(t, box) {
				got = append(got, strings.TrimSuffix(e.Final, "@dst.example"))
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s\n%s", diff, f.log.String())
			}
			tmp := filepath.Join(filepath.Dir(f.root), "*", "outbox", "tmp", "*")
			for late := time.Now().Add(time.Minute); ; runtime.Gosched() { // what is not sent is removed after the reply
				left, err := filepath.Glob(tmp)
				if err == nil && len(left) == 0 {
					break
				}
				if err != nil || time.Now().After(late) {
					t.Fatalf("left %q, %v", left, err)
				}
			}
		})
	}
}

// The facts of a report are those of the transaction, and the header is that which came.
func TestReportFacts(t *testing.T) {
	f := newFixture(t, "lmtp")
	box := owes(t, f, outbox.Options{})
	playScript(t, f, "lmtp", `P0
C: MAIL FROM:<josé@src.example> SMTPUTF8 ENVID=QQ+2B1 RET=HDRS
S: 250 2.1.0
C: RCPT TO:<U1+tag@bücher.example> NOTIFY=success ORCPT=utf-8;\\x{7528}@dst.example
S: 250 2.1.5
C: DATA
S: 354
C: From s@src.example Sat Nov 28 12:00:00 2026
C: Return-Path: <x@y>
C: Subject: Grüße
C:  again
C: 
C: body
C: .
S: 250 2.0.0`)
	const field = "\nOriginal-Recipient: utf-8; 用@dst.example\nReceived: "
	if m := f.messages(t, "u1"); len(m) != 1 || !strings.Contains(m[0], field) {
		t.Errorf("%q", m)
	}
	got := reports(t, box)
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	want := outbox.Entry{
		Transaction: got[0].Transaction, Sender: "josé@src.example", EnvelopeID: "QQ+1",
		Original: address.Original{Type: "utf-8", Address: "用@dst.example"}, Final: "U1+tag@bücher.example",
		Arrived: got[0].Arrived, Header: []byte("Return-Path: <x@y>\r\nSubject: Grüße\r\n again\r\n"),
	}
	diff := cmp.Diff(want, got[0])
	if diff != "" || !strings.HasSuffix(got[0].Transaction, ".1") || got[0].Arrived.IsZero() {
		t.Errorf("%s %+v", diff, got[0])
	}
}

// A report that cannot be promised keeps the message from its recipient, and from no other: the client would not
// report.
func TestNoRoomForReports(t *testing.T) {
	const text = `P0
C: MAIL FROM:<s@src.example>
S: 250 2.1.0
C: RCPT TO:<u1@dst.example> NOTIFY=SUCCESS
S: 250 2.1.5
C: RCPT TO:<u2@dst.example>
S: 250 2.1.5
C: RCPT TO:<team@dst.example> NOTIFY=SUCCESS
S: 250 2.1.5
C: DATA
S: 354
C: x
C: .
S: `
	for name, tt := range map[string]struct {
		spoil func(dir string) error
		reply string
		rule  string
	}{
		"full":    {nil, "452 4.3.1", "full"},
		"missing": {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "tmp")) }, "451 4.3.0", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "lmtp")
			box := owes(t, f, outbox.Options{Entries: 2})
			for i := range 2 {
				e := outbox.Entry{Transaction: fmt.Sprint(i), Sender: "s@src.example", Final: "u@b"}
				d, err := box.Stage(t.Context(), e)
				must(t, err)
				must(t, box.Publish(t.Context(), d))
			}
			if tt.spoil != nil {
				owes(t, f, outbox.Options{})
				dir, err := filepath.Glob(filepath.Join(filepath.Dir(f.root), "*", "outbox"))
				must(t, errors.Join(err, tt.spoil(dir[len(dir)-1])))
			}
			playScript(t, f, "lmtp", text+tt.reply+"\nS: 250 2.0.0\nS: "+tt.reply)
			if one, two := len(f.messages(t, "u1")), len(f.messages(t, "u2")); one != 0 || two != 1 {
				t.Errorf("u1 has %d messages, u2 %d", one, two)
			}
			if log := f.log.String(); strings.Count(log, "level=WARN") != 3 || !strings.Contains(log, tt.rule) {
				t.Error(log)
			}
		})
	}
}
