package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A valve is a Doorstep that reports by a Postfix' socket, which a test takes away and puts back.
type valve struct {
	*site
	mta    reportingPostfix
	socket string
}

func openValve(t *testing.T) *valve {
	t.Helper()
	v := &valve{site: planSite(t)}
	v.mta = dsnPostfix(t, "lmtp:"+v.unix)
	v.mta.postfix.Run(recipe(t, "docs/dsn.md", "dsn postfix"))
	v.mta.group = "postdrop"
	v.socket = v.mta.postfix.Queue() + "/public/doorstep"
	peer.AwaitListener(t, v.mta.postfix.Process, "unix", v.socket)
	v.start(t, dsnAccounts()+v.submission("unix:"+v.socket, `withdraw_after = "1s"`, "[control]",
		fmt.Sprintf("socket = %q", filepath.Join(filepath.Dir(v.store), "control"))), v.mta.groups(t)...)
	return v
}

// send has a sender ask for a report of success.
func (v *valve) send(t *testing.T, sender string) {
	t.Helper()
	ask(t, v.mta.addr, client.Message{From: dsnSender(sender).address, EnvelopeID: "case-" + sender,
		To: []client.Recipient{{Address: goodA, Notify: "SUCCESS"}}})
}

// awaitDelivered waits until Postfix has handed over n messages to the recipient.
func (v *valve) awaitDelivered(t *testing.T, n int) {
	t.Helper()
	peer.Await(t, time.Minute, "a delivery", func() bool { return count(v.mta.Deliveries(), goodA) == n })
}

// awaitOffer waits until a hello is answered with DSN, or without.
func (v *valve) awaitOffer(t *testing.T, offered bool) {
	t.Helper()
	peer.Await(t, time.Minute, fmt.Sprintf("DSN to be offered: %v", offered), func() bool {
		c, err := client.Dial(t.Context(), v.unix, client.Options{Protocol: client.LMTP, Hello: "client.example"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Extensions().Has("DSN") == offered
	})
}

// TestValve: when reports cannot be handed over Doorstep stops to promise them, and Postfix makes them from its next
// session on, until Doorstep's are taken again. Each sender has one report, and no mail is deferred.
func TestValve(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix")
	v := openValve(t)
	v.send(t, "success") // all is well
	v.awaitReported(t, v.mta)

	away := v.socket + ".away"
	if err := os.Rename(v.socket, away); err != nil {
		t.Fatal(err)
	}
	v.send(t, "both") // promised before Doorstep knows, and kept when it can be
	v.awaitDelivered(t, 2)
	v.awaitOffer(t, false)
	v.send(t, "silent")
	v.mta.AwaitIdle(time.Minute)
	if n := v.waiting(t); n != 1 {
		t.Errorf("%d reports wait, want one", n)
	}

	if err := os.Rename(away, v.socket); err != nil {
		t.Fatal(err)
	}
	v.flush(t)
	v.awaitOffer(t, true)
	v.send(t, "late")
	v.awaitReported(t, v.mta)

	for sender, want := range map[string]string{"success": "Doorstep: delivered", "both": "Doorstep: delivered",
		"silent": "the MTA: delivered", "late": "Doorstep: delivered"} {
		if list := v.reports(t, dsnSender(sender)); len(list) != 1 || list[0].String() != want {
			t.Errorf("%s: %d reports: %v, want %q", sender, len(list), list, want)
		}
	}
	for _, line := range []string{`msg="DSN withdrawn"`, `msg="DSN offered again"`} {
		if n := strings.Count(v.process.Output(), line); n != 1 {
			t.Errorf("the log has %d lines %s, want one", n, line)
		}
	}
	for _, d := range v.mta.Deliveries() {
		if d.Status != "sent" {
			t.Errorf("%+v", d)
		}
	}
}

// flush has Doorstep try at once what waits.
func (v *valve) flush(t *testing.T) {
	t.Helper()
	program := filepath.Join(filepath.Dir(v.store), "doorstep")
	flush := exec.CommandContext(t.Context(), program, "outbox", "flush", "-c", program+".toml")
	if out, err := flush.CombinedOutput(); err != nil {
		t.Errorf("outbox flush: %v: %s", err, out)
	}
}
