package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer/corpus"
)

// swaksEnvelopes are taken in turn. swaks knows no SMTPUTF8.
var swaksEnvelopes = []envelope{
	{from: "sender@src.example", to: []string{"alice@dst.example"}, boxes: []string{"alice@dst.example"}},
	{from: "<>", to: []string{"bob@dst.example", "nobody@dst.example", "alice+lists@dst.example"},
		boxes: []string{"bob@dst.example", "alice@dst.example"}, unknown: []string{"nobody@dst.example"}},
	{from: "sender@src.example", to: []string{"sales@dst.example", "alice@dst.example", "postmaster"},
		boxes: []string{"alice@dst.example", "sender@src.example"}},
}

// A directMessage is one that an MTA would change on its way, with what is to be stored of it.
type directMessage struct {
	corpus.Message
	stored string
}

// directMessages are the corpus, and what no MTA lets through as it is (DATA-03, DATA-06a,
// DATA-08).
func directMessages() (list []directMessage) {
	for _, m := range corpus.Messages() {
		list = append(list, directMessage{m, m.Stored()})
	}
	for _, m := range []struct{ name, content, stored string }{
		{"no header", "just text\n", "\njust text\n"},
		{"begins with an empty line", "\nbody\n", "\nbody\n"},
		{"begins with a space", " text\nSubject: begins with a space\n", "\n text\nSubject: begins with a space\n"},
		{"mbox separator", "From a@src.example Mon Nov  2 09:10:11 2026\nSubject: mbox separator\n\nbody\n",
			"Subject: mbox separator\n\nbody\n"},
		{"foreign Return-Path", "Return-Path: <x@src.example>\nSubject: foreign Return-Path\n\nbody\n",
			"Subject: foreign Return-Path\n\nbody\n"},
		{"CR within a line", "Subject: CR within a line\n\na\rb\n\rc\n", "Subject: CR within a line\n\na\rb\n\rc\n"},
		{"line of a mebibyte", "Subject: line of a mebibyte\n\n." + strings.Repeat("x", 1<<20) + "\n",
			"Subject: line of a mebibyte\n\n." + strings.Repeat("x", 1<<20) + "\n"},
	} {
		list = append(list, directMessage{corpus.Message{Name: m.name, Content: m.content}, m.stored})
	}
	return list
}

// TestSwaksDeliversTheCorpus sends the corpus straight to Doorstep by LMTP over TCP, with a
// client that shares no code with it and waits for each reply.
func TestSwaksDeliversTheCorpus(t *testing.T) {
	t.Parallel()
	peer.Need(t, "swaks", "dovecot")
	s := openSite(t)
	data := filepath.Join(t.TempDir(), "data")
	want := map[string][]string{}
	for i, m := range directMessages() {
		e := swaksEnvelopes[i%len(swaksEnvelopes)]
		if err := os.WriteFile(data, []byte(onTheWire(m.Message)), 0o600); err != nil {
			t.Fatal(err)
		}
		transcript, err := peer.Swaks(t, "--protocol", "LMTP", "--server", s.tcp, "--helo", "client.example",
			"--from", e.from, "--to", strings.Join(e.to, ","), "--data", "@"+data, "--no-data-fixup", "--suppress-data")
		// swaks marks replies it did not hope for with "<**".
		if refused := strings.Count(transcript, "<** 550 5.1.1 "); err != nil || refused != len(e.unknown) ||
			strings.Count(transcript, "<** ") != refused {
			t.Errorf("%s: %v\n%s", m.Name, err, transcript)
			continue
		}
		for _, box := range e.boxes {
			want[box] = append(want[box], m.stored)
		}
	}
	for _, a := range siteAccounts {
		s.checkStored(t, a, want[a.address], "Return-Path", "Delivered-To", "Received")
	}
	s.checkByIMAP(t)
}

// TestSwaksMix: good, unknown and full, for a client that waits for each reply.
func TestSwaksMix(t *testing.T) {
	t.Parallel()
	peer.Need(t, "swaks")
	s := openSite(t)
	s.fillBox(t, s.account(t, fullD))
	for protocol, server := range map[string]string{"LMTP": s.tcp, "ESMTP": s.esmtp} {
		transcript, err := peer.Swaks(t, "--protocol", protocol, "--server", server, "--helo", "client.example",
			"--from", mixFrom, "--to", strings.Join([]string{goodA, unknownC, fullD, goodB}, ","))
		if err != nil || strings.Count(transcript, "<** ") != 2 || !strings.Contains(transcript, "<** 550 5.1.1 ") ||
			!strings.Contains(transcript, "<** 452 4.2.2 mailbox is full") {
			t.Errorf("%s: %v\n%s", protocol, err, transcript)
		}
	}
	for _, to := range []string{goodA, goodB} {
		if n := len(s.messages(t, s.account(t, to))); n != 2 {
			t.Errorf("%s has %d messages", to, n)
		}
	}
}

// onTheWire is the message as DATA has it (RFC 5321 §4.5.2), up to the dot that ends it, to
// which swaks adds the line end.
func onTheWire(m corpus.Message) string {
	lines := strings.ReplaceAll("\n"+m.Stored(), "\n.", "\n..")
	return strings.ReplaceAll(lines[1:], "\n", "\r\n") + "."
}
