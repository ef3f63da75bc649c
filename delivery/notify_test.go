package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery"
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
	f.box = box
	f.agent.Reports = delivery.Reports{Outbox: box, Header: 32 << 10}
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
	var mu sync.Mutex // several are sent at once
	box.Run(ctx, func(_ context.Context, group []outbox.Entry) outbox.Verdict {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, group...)
		if left -= len(group); left == 0 {
			cancel()
		}
		return outbox.Verdict{}
	})
	return list
}

// reports are those that wait, by the local part of their recipient, or its address in another domain: their facts as
// text. What is not sent is gone from the outbox.
func (f *fixture) reports(t *testing.T) map[string]string {
	t.Helper()
	if f.box == nil {
		return nil
	}
	list := map[string]string{}
	for _, e := range reports(t, f.box) {
		list[strings.TrimSuffix(e.Final, "@dst.example")] = fmt.Sprintf("from=%s\nenvid=%s\norcpt=%s\n\n%s", e.Sender,
			e.EnvelopeID, strings.TrimPrefix(e.Original.String(), ";"), strings.ReplaceAll(string(e.Header), "\r\n", "\n"))
	}
	for late := time.Now().Add(time.Minute); f.litter(t); runtime.Gosched() { // it is removed after the reply
		if time.Now().After(late) {
			t.Fatal("the outbox's tmp is not clean")
		}
	}
	return list
}

// litter reports whether there is something in an outbox' tmp.
func (f *fixture) litter(t *testing.T) bool {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.root), "*", "outbox", "tmp", "*"))
	must(t, err)
	return len(left) > 0
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

// DSN-29: clients that go before they have read a reply leave a report on each message that is there, and on no other.
func TestReportsToClientsThatGo(t *testing.T) {
	f := newFixture(t, "lmtp")
	box := owes(t, f, outbox.Options{})
	for range 30 {
		nc := f.connect(t, "unix")
		_, err := io.WriteString(nc, "LHLO c.example\r\nMAIL FROM:<s@src.example>\r\n"+
			"RCPT TO:<u1@dst.example> NOTIFY=SUCCESS\r\nDATA\r\nx\r\n.\r\n")
		must(t, errors.Join(err, nc.Close()))
	}
	f.shutdown(t)
	if there, reported := len(f.messages(t, "u1")), len(reports(t, box)); there != reported {
		t.Errorf("%d messages are there, and %d reports\n%s", there, reported, f.log.String())
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

// DSN-27: with store.original_to the address that the sender named stands in X-Original-To too, as it is, and never
// where it would be seen by others or a header must not have it.
func TestOriginalTo(t *testing.T) {
	for name, tt := range map[string]struct {
		mail, orcpt string
		more        string // another recipient
		want        string
	}{
		"ASCII":             {orcpt: " ORCPT=rfc822;staff+2Bx@dst.example", want: "X-Original-To: staff+x@dst.example"},
		"internationalized": {" SMTPUTF8", " ORCPT=utf-8;\\\\x{7528}@dst.example", "", "X-Original-To: 用@dst.example"},
		"without SMTPUTF8":  {orcpt: " ORCPT=utf-8;\\\\x{7528}@dst.example"},
		"of another kind":   {orcpt: " ORCPT=x400;c+3Dde"},
		"none":              {},
		"one file for two":  {orcpt: " ORCPT=rfc822;staff@dst.example", more: "C: RCPT TO:<u2@dst.example>\nS: 250 2.1.5\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "lmtp")
			owes(t, f, outbox.Options{})
			f.agent.OriginalTo, f.agent.SingleCopy = true, tt.more != ""
			playScript(t, f, "lmtp", "P0\nC: MAIL FROM:<s@src.example>"+tt.mail+"\nS: 250 2.1.0\nC: RCPT TO:<u1@dst.example>"+
				tt.orcpt+"\nS: 250 2.1.5\n"+tt.more+"C: DATA\nS: 354\nC: x\nC: .\nS: 250 2.0.0\n"+
				strings.Repeat("S: 250 2.0.0\n", strings.Count(tt.more, "RCPT")))
			got := ""
			for line := range strings.Lines(strings.Join(f.messages(t, "u1"), "")) {
				if strings.HasPrefix(line, "X-Original-To:") {
					got += strings.TrimSuffix(line, "\n")
				}
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
