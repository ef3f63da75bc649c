package lmtp

import (
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// The handler has what the parameters said.
func TestDSN(t *testing.T) {
	h := &fakeHandler{}
	d := opened(t, &Server{Handler: h, Extensions: Extensions{DSN: func() bool { return true }}})
	d.say("MAIL FROM:<a@src.example> ret=hdrs ENVID=QQ+2B+201",
		`RCPT TO:<u1@dst.example> NOTIFY=success,DELAY ORCPT=UTF-8;\x{7528}\x{6237}@b`, "RCPT TO:<u2@dst.example>")
	d.expect("250 2.1.0", "250 2.1.5", "250 2.1.5")
	d.quit()
	tx := h.only(t)
	if tx.env.Return != "HDRS" || tx.env.EnvelopeID != "QQ+ 1" {
		t.Errorf("envelope is %+v", tx.env)
	}
	want := []Recipient{
		{Notify: NotifySuccess | NotifyDelay, Original: address.Original{Type: "utf-8", Address: "用户@b"}}, {},
	}
	for i, r := range tx.params {
		if r.Notify != want[i].Notify || r.Original != want[i].Original {
			t.Errorf("recipient is %+v", r)
		}
	}
	if s := want[0].Notify.String(); s != "SUCCESS,DELAY" || NotifyNever.String() != "NEVER" || Notify(0).String() != "" {
		t.Errorf("notify is %q", s)
	}
}

// DSN-01: what a session was offered holds until its next hello, whatever others are offered meanwhile.
func TestDSNIsWithdrawn(t *testing.T) {
	offered := true
	s := &Server{Handler: &fakeHandler{}, Protocol: ESMTP, Extensions: Extensions{DSN: func() bool { return offered }}}
	d := opened(t, s)
	offered = false
	d.say("MAIL FROM:<a@src.example> RET=FULL", "RSET", "EHLO c.example", "MAIL FROM:<a@src.example> RET=FULL")
	d.expect("250 2.1.0", "250 2.0.0", "250", "555 5.5.4")
	offered = true
	d.say("MAIL FROM:<a@src.example> RET=FULL", "HELO c.example", "MAIL FROM:<a@src.example> RET=FULL", "EHLO c.example",
		"MAIL FROM:<a@src.example> RET=FULL")
	d.expect("555 5.5.4", "250", "555 5.5.4", "250", "250 2.1.0")
	d.quit()
}
