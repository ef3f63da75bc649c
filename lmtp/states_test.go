package lmtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

// stateNames are the states of a session, and what leads there from the greeting.
var stateNames = []string{"greeted", "ready", "mail", "rcpt", "chunk", "failed"}

// way says the lines that lead to a state, each with its reply.
func way(p Protocol, state string) [][2]string {
	hello := [2]string{helloOf(p) + " c.example\r\n", "250"}
	mail := [2]string{"MAIL FROM:<a@src.example>\r\n", "250 2.1.0"}
	rcpt := [2]string{"RCPT TO:<u1@dst.example>\r\n", "250 2.1.5"}
	also := [2]string{"RCPT TO:<u2@dst.example>\r\n", "250 2.1.5"}
	chunk := [2]string{"BDAT 2\r\n\r\n", "250 2.0.0"}
	data := [2]string{"DATA\r\n", "503 5.5.1"}
	return map[string][][2]string{
		"greeted": {},
		"ready":   {hello},
		"mail":    {hello, mail},
		"rcpt":    {hello, mail, rcpt, also},
		"chunk":   {hello, mail, rcpt, also, chunk},
		"failed":  {hello, mail, rcpt, also, chunk, data},
	}[state]
}

func helloOf(p Protocol) string {
	if p == ESMTP {
		return "EHLO"
	}
	return "LHLO"
}

// A column is a command, and for each state the replies and the state after it: "250 2.0.0",
// "-" for none, "k*…" for one for each of the two recipients over LMTP and one over ESMTP;
// " > state" where it is another one, and "end" where the session ends.
type column struct {
	name string
	send string
	// greeted, ready, mail, rcpt, chunk, failed
	cells [6]string
	esmtp map[string]string // where ESMTP differs
}

const (
	seq      = "503 5.5.1"
	noRcpt   = "554 5.5.1"
	notValid = "550 5.1.1"
)

var stateTable = []column{
	{"hello", "HELLO c.example\r\n", [6]string{"250 > ready", "250", "250 > ready", "250 > ready", "250 > ready",
		"250 > ready"}, nil},
	{"hello without a name", "HELLO\r\n", [6]string{"501", "501", "501", "501", "501", "501"}, nil},
	{"hello of the other protocol", "OTHER c.example\r\n", [6]string{"500", "500", "500", "500", "500", "500"}, nil},
	{"MAIL", "MAIL FROM:<a@src.example>\r\n", [6]string{seq, "250 2.1.0 > mail", seq, seq, seq, seq}, nil},
	{"MAIL refused", "MAIL FROM:a@src.example\r\n", [6]string{seq, "501 5.5.4", seq, seq, seq, seq}, nil},
	{"RCPT", "RCPT TO:<u3@dst.example>\r\n", [6]string{seq, seq, "250 2.1.5 > rcpt", "250 2.1.5", seq, seq}, nil},
	{"RCPT refused", "RCPT TO:<nx@dst.example>\r\n", [6]string{seq, seq, notValid, notValid, seq, seq}, nil},
	{"DATA", "DATA\r\n", [6]string{seq, seq, seq, "354 > content", seq + " > failed", seq},
		map[string]string{"mail": noRcpt}},
	{"DATA with an argument", "DATA x\r\n", [6]string{seq, seq, "501 5.5.4", "501 5.5.4", "501 5.5.4", "501 5.5.4"}, nil},
	{"BDAT n", "BDAT 6\r\nNOOP\r\n", [6]string{seq, seq, seq, "250 2.0.0 > chunk", "250 2.0.0", seq},
		map[string]string{"mail": noRcpt}},
	{"BDAT n LAST", "BDAT 6 LAST\r\nNOOP\r\n",
		[6]string{seq, seq, "- > ready", "k*250 2.0.0 > ready", "k*250 2.0.0 > ready", "k*503 5.5.1 > ready"},
		map[string]string{"mail": noRcpt}},
	{"BDAT 0 LAST", "BDAT 0 LAST\r\n", [6]string{seq, seq, "- > ready", "k*250 2.0.0 > ready", "k*250 2.0.0 > ready",
		"k*503 5.5.1 > ready"},
		map[string]string{"mail": noRcpt}},
	{"BDAT with a bad marker", "BDAT 6 FIRST\r\nNOOP\r\n",
		[6]string{"501 5.5.4", "501 5.5.4", "501 5.5.4", "501 5.5.4 > failed", "501 5.5.4 > failed", "501 5.5.4"}, nil},
	{"RSET", "RSET\r\n", [6]string{"250 2.0.0", "250 2.0.0", "250 2.0.0 > ready", "250 2.0.0 > ready", "250 2.0.0 > ready",
		"250 2.0.0 > ready"}, nil},
	{"NOOP", "NOOP\r\n", [6]string{"250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"}, nil},
	{"HELP", "HELP\r\n", [6]string{"214 2.0.0", "214 2.0.0", "214 2.0.0", "214 2.0.0", "214 2.0.0", "214 2.0.0"}, nil},
	{"VRFY", "VRFY u1\r\n", [6]string{"252 2.0.0", "252 2.0.0", "252 2.0.0", "252 2.0.0", "252 2.0.0", "252 2.0.0"}, nil},
	{"EXPN", "EXPN u1\r\n", [6]string{"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}, nil},
	{"unknown", "XYZZY\r\n", [6]string{"500 5.5.1", "500 5.5.1", "500 5.5.1", "500 5.5.1", "500 5.5.1", "500 5.5.1"}, nil},
	{"STARTTLS", "STARTTLS\r\n", [6]string{seq, "220 2.0.0 > handshake", seq, seq, seq, seq}, nil},
	{"AUTH", "AUTH PLAIN =\r\n", [6]string{seq, "235 2.7.0", seq, seq, seq, seq}, nil},
	{"XFORWARD", "XFORWARD ADDR=192.0.2.1\r\n", [6]string{seq, "250 2.0.0", seq, seq, seq, seq}, nil},
	{"XCLIENT", "XCLIENT ADDR=192.0.2.1\r\n", [6]string{"220", "220 > greeted", seq, seq, seq, seq}, nil},
	{"QUIT", "QUIT\r\n", [6]string{"221 2.0.0 > end", "221 2.0.0 > end", "221 2.0.0 > end", "221 2.0.0 > end",
		"221 2.0.0 > end", "221 2.0.0 > end"}, nil},
}

// TestStates is the table of states and commands, every cell, from outside.
func TestStates(t *testing.T) {
	for _, p := range []Protocol{LMTP, ESMTP} {
		for _, col := range stateTable {
			for i, state := range stateNames {
				cell := col.cells[i]
				if other, ok := col.esmtp[state]; ok && p == ESMTP {
					cell = other
				}
				t.Run(fmt.Sprintf("%s/%s/%s", p, state, col.name), func(t *testing.T) {
					checkCell(t, p, state, col.send, cell)
				})
			}
		}
	}
}

func checkCell(t *testing.T, p Protocol, state, send, cell string) {
	h := &fakeHandler{onRcpt: func(to string) error {
		if strings.HasPrefix(to, "nx") {
			return &Error{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox"}
		}
		return nil
	}}
	d := talk(t, &Server{
		Handler: h, Protocol: p, Auth: Auth{Authenticator: anybody{}},
		TLS:   TLS{Config: &tls.Config{Certificates: []tls.Certificate{{}}}}, // nobody gets as far as to see it
		Peers: Peers{Trusted: func(net.Conn) bool { return true }},
	})
	d.expect("220")
	for _, step := range way(p, state) {
		d.send(step[0])
		d.expect(step[1])
	}

	other := map[Protocol]string{LMTP: "EHLO", ESMTP: "LHLO"}[p]
	d.send(strings.NewReplacer("HELLO", helloOf(p), "OTHER", other).Replace(send))
	want, next, changed := strings.Cut(cell, " > ")
	replies := 1
	if rest, ok := strings.CutPrefix(want, "k*"); ok {
		want = rest
		if p == LMTP {
			replies = 2
		}
	}
	if want != "-" {
		for range replies {
			d.expect(want)
		}
	}
	if !changed {
		next = state
	}
	probeState(t, d, p, next)
	d.hangUp()
	h.check(t)
}

// probeState finds out by commands alone where the session stands.
func probeState(t *testing.T, d *dialogue, p Protocol, want string) {
	t.Helper()
	switch want {
	case "end":
		d.expectClosed()
		return
	case "handshake":
		return // what follows is not SMTP; tested with TLS
	case "content":
		d.say("NOOP", ".")
		d.expect("250 2.0.0")
		if p == LMTP {
			d.expect("250 2.0.0") // the second recipient
		}
		want = "ready"
	}
	// What is out of sequence is another thing than what only lacks its argument, and changes nothing.
	const no, arg = "503 5.5.1", "501 5.5.4"
	probes := map[string][3]string{ // MAIL, RCPT, DATA x
		"greeted": {no, no, no},
		"ready":   {arg, no, no},
		"mail":    {no, arg, arg},
		"rcpt":    {no, arg, arg},
		"chunk":   {no, no, arg},
		"failed":  {no, no, arg},
	}[want]
	for i, say := range []string{"MAIL", "RCPT", "DATA x"} {
		d.say(say)
		d.expect(probes[i])
	}
	switch want {
	case "mail":
		d.say("DATA")
		d.expect(map[Protocol]string{LMTP: seq, ESMTP: noRcpt}[p])
	case "rcpt":
		d.say("DATA")
		d.expect("354")
	case "chunk":
		d.say("BDAT 0")
		d.expect("250 2.0.0")
	case "failed":
		d.say("BDAT 0")
		d.expect(seq)
	}
}

// anybody lets all in.
type anybody struct{}

func (anybody) Mechanisms(*Session) []string { return []string{"PLAIN"} }

func (anybody) Begin(context.Context, *Session, string) Exchange { return welcome{} }

type welcome struct{}

func (welcome) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return nil, false, errors.New("no response")
	}
	return nil, true, nil
}

func (welcome) Identity() string { return "joe" }
