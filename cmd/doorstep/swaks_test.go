package main

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

// TestSwaksDeliversTheCorpus sends the corpus straight to Doorstep by LMTP over TCP, with a
// client that shares no code with it and waits for each reply.
func TestSwaksDeliversTheCorpus(t *testing.T) {
	peer.Need(t, "swaks", "dovecot")
	s := openSite(t)
	data := filepath.Join(t.TempDir(), "data")
	want := map[string][]string{}
	for i, m := range corpus.Messages() {
		e := swaksEnvelopes[i%len(swaksEnvelopes)]
		if err := os.WriteFile(data, []byte(onTheWire(m)), 0o600); err != nil {
			t.Fatal(err)
		}
		transcript, err := peer.Swaks(t, "--protocol", "LMTP", "--server", s.tcp, "--helo", "client.example",
			"--from", e.from, "--to", strings.Join(e.to, ","), "--data", "@"+data, "--no-data-fixup", "--suppress-data")
		// swaks marks replies it did not hope for with "<**".
		if refused := strings.Count(transcript, "<** 550 5.1.1 "); err != nil || refused != len(e.unknown) || strings.Count(transcript, "<** ") != refused {
			t.Errorf("%s: %v\n%s", m.Name, err, transcript)
			continue
		}
		for _, box := range e.boxes {
			want[box] = append(want[box], m.Stored())
		}
	}
	for _, a := range siteAccounts {
		s.checkStored(t, a, want[a.address], "Return-Path", "Delivered-To", "Received")
	}
	s.checkByIMAP(t)
}

// onTheWire is the message as DATA has it (RFC 5321 §4.5.2), up to the dot that ends it, to
// which swaks adds the line end.
func onTheWire(m corpus.Message) string {
	lines := strings.ReplaceAll("\n"+m.Stored(), "\n.", "\n..")
	return strings.ReplaceAll(lines[1:], "\n", "\r\n") + "."
}
