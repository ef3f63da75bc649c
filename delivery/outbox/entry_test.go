package outbox

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/google/go-cmp/cmp"
)

// TestEntries: an entry is read as it was written, and what an earlier version wrote is read too.
func TestEntries(t *testing.T) {
	failed := entry("1", "list@dst.example")
	failed.Failures = []Failure{{"5.2.1", "550 5.2.1 mailbox is disabled"}, {"5.2.2", "552 5.2.2 mailbox is full"}}
	failed.RequireTLS = true
	for _, e := range []Entry{entry("1", "u1@dst.example"), failed} {
		text, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(text)
		if diff := cmp.Diff(e, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	}
	const first = `{"v":1,"kind":"report","transaction":"x.1","sender":"s@src.example","envid":"QQ+1",` +
		`"orcpt_type":"rfc822","orcpt":"a@b","final":"u1@dst.example","arrived":"2026-11-28T12:00:00Z","octets":12}` +
		"\nSubject: x\r\n"
	want := Entry{
		Transaction: "x.1", Sender: "s@src.example", EnvelopeID: "QQ+1", Final: "u1@dst.example",
		Original: address.Original{Type: "rfc822", Address: "a@b"},
		Arrived:  time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Header: []byte("Subject: x\r\n"),
	}
	if got, err := decode([]byte(first)); err != nil {
		t.Error(err)
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, text := range map[string]string{
		"unknown kind":           strings.Replace(first, "report", "other", 1),
		"failure without any":    strings.Replace(first, `"v":1,"kind":"report"`, `"v":2,"kind":"failure"`, 1),
		"failure of version one": strings.Replace(first, `"report"`, `"failure","failures":[{"status":"5.1.1"}]`, 1),
	} {
		if e, err := decode([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// TestKindsApart: of one message, good news and bad leave as one report each, in whatever order they came.
func TestKindsApart(t *testing.T) {
	b := open(t, Options{})
	bad := func(to string) Entry {
		e := entry("1", to)
		e.Failures = []Failure{{"5.2.1", "550 5.2.1 mailbox is disabled"}}
		return e
	}
	put(t, b, entry("1", "a@b"), bad("list@b"), entry("1", "c@b"), bad("other@b"), entry("1", "e@b"))
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	sent := 0
	var mu sync.Mutex
	b.Run(ctx, func(_ context.Context, group []Entry) Verdict {
		mu.Lock()
		defer mu.Unlock()
		var names []string
		for _, e := range group {
			names = append(names, e.Final)
		}
		got = append(got, strings.Join(names, " "))
		if sent += len(group); sent == 5 {
			cancel()
		}
		return Verdict{}
	})
	if len(got) != 2 || !(got[0] == "a@b c@b e@b" && got[1] == "list@b other@b" ||
		got[1] == "a@b c@b e@b" && got[0] == "list@b other@b") {
		t.Errorf("sent %q", got)
	}
}
