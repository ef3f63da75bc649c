package e2e_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-message"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestReportsInternationalized: between addresses in each of the world's scripts a report comes back through Postfix,
// with the addresses as they are (RFC 6533), and Dovecot gives it to its reader as it is on disk.
func TestReportsInternationalized(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix", "dovecot")
	w := planWorld(t)
	p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: "lmtp:" + w.unix, Domains: domains(t)})
	w.start(t, w.submission("tcp:"+p.Addr))
	for i, to := range tongues {
		from := tongues[(i+1)%len(tongues)]
		ask(t, p.Addr, client.Message{From: from.address(),
			To:         []client.Recipient{{Address: to.address(), Notify: "SUCCESS"}},
			EnvelopeID: "case-" + to.name, Content: strings.NewReader(to.attach(from.address(), to.address())),
			Body: "8BITMIME", UTF8: client.UTF8Always})
	}
	w.awaitReported(t, p)
	for i, to := range tongues {
		from := tongues[(i+1)%len(tongues)]
		found := 0
		for _, text := range w.messages(t, w.account(t, from)) {
			if strings.HasPrefix(text, "Return-Path: <>\n") {
				checkGlobal(t, text, to, from)
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s: %d reports, want 1", from.name, found)
		}
	}
	if c := p.Complaints(); len(c) > 0 {
		t.Errorf("Postfix complains: %q", c)
	}
	w.readByIMAP(t)
}

// checkGlobal wants a report in UTF-8, on a message to a recipient.
func checkGlobal(t *testing.T, text string, to, from tongue) {
	t.Helper()
	e, err := message.Read(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", to.name, err)
	}
	kind, params, _ := e.Header.ContentType()
	if kind != "multipart/report" || params["report-type"] != "global-delivery-status" ||
		e.Header.Get("To") != from.address() {
		t.Errorf("%s: %s %v to %s", to.name, kind, params, e.Header.Get("To"))
	}
	var kinds, parts []string
	for r := e.MultipartReader(); ; {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", to.name, err)
		}
		content, err := io.ReadAll(part.Body)
		if err != nil {
			t.Fatalf("%s: %v", to.name, err)
		}
		kind, _, _ := part.Header.ContentType()
		kinds, parts = append(kinds, kind), append(parts, string(content))
	}
	if !slices.Equal(kinds, []string{"text/plain", "message/global-delivery-status", "message/global-headers"}) {
		t.Fatalf("%s: %q in %s", to.name, kinds, text)
	}
	for i, mark := range []string{to.address(), "\nFinal-Recipient: utf-8; " + to.address() + "\n",
		"\nTo: " + to.word + " <" + to.address() + ">\n"} {
		if !strings.Contains(strings.ReplaceAll(parts[i], "\r\n", "\n"), mark) {
			t.Errorf("%s: no %q in %s", to.name, mark, parts[i])
		}
	}
	for _, field := range []string{"Reporting-MTA: dns; store.example", "Action: delivered",
		"Original-Envelope-Id: case-" + to.name, "Original-Recipient: utf-8; " + to.address()} {
		if !strings.Contains(parts[1], field+"\r\n") && !strings.Contains(parts[1], field+"\n") {
			t.Errorf("%s: no %s in %s", to.name, field, parts[1])
		}
	}
}
