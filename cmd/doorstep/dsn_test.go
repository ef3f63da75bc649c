package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	gomessage "github.com/emersion/go-message"
	"github.com/google/go-cmp/cmp"
)

// An mta takes mail on a Unix socket. Its replies to commands, and to the end of the content ("."), are 250 unless
// answer says another; "" hangs up.
type mta struct {
	path   string
	closed func()

	mu      sync.Mutex
	answers map[string]string
	taken   chan submitted
}

// A submitted message is one whose content has come to its end, whatever it was answered with.
type submitted struct{ envelope, content string }

// startMTA listens, as any number of MTAs may one after another at a path.
func startMTA(tb testing.TB, path string) *mta {
	tb.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	m := &mta{path: path, answers: map[string]string{}, taken: make(chan submitted, 100)}
	m.closed = sync.OnceFunc(func() { l.Close() })
	tb.Cleanup(m.closed)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

// answer has a command answered so from now on.
func (m *mta) answer(verb, reply string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[verb] = reply
}

// reply writes a reply, and reports whether the session goes on.
func (m *mta) reply(conn net.Conn, verb, usual string) bool {
	m.mu.Lock()
	answer, set := m.answers[verb]
	m.mu.Unlock()
	if !set {
		answer = usual
	}
	if answer == "" {
		return false
	}
	_, err := io.WriteString(conn, strings.ReplaceAll(answer, "\n", "\r\n")+"\r\n")
	return err == nil
}

func (m *mta) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	var got submitted
	for going := m.reply(conn, "greeting", "220 mta.example"); going; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "EHLO":
			going = m.reply(conn, verb, "250-mta.example\n250-8BITMIME\n250-SMTPUTF8\n250 DSN")
		case "DATA":
			if going = m.reply(conn, verb, "354 go ahead"); going {
				got.content = readContent(in)
				m.taken <- got
				going = m.reply(conn, ".", "250 2.0.0 Ok: queued as 1234")
				got = submitted{}
			}
		case "MAIL", "RCPT":
			got.envelope += strings.TrimSpace(line) + "\n"
			going = m.reply(conn, verb, "250 ok")
		default:
			going = m.reply(conn, verb, "250 ok")
		}
	}
}

// readContent reads up to the line with the dot.
func readContent(in *bufio.Reader) string {
	var content strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return content.String()
		}
		content.WriteString(strings.TrimPrefix(line, "."))
	}
}

// next waits for a message.
func (m *mta) next(tb testing.TB) submitted {
	tb.Helper()
	select {
	case got := <-m.taken:
		return got
	case <-time.After(patience):
		tb.Fatal("no report comes")
		panic("unreachable")
	}
}

// wantNone wants no message to have come since the last.
func (m *mta) wantNone(tb testing.TB) {
	tb.Helper()
	select {
	case got := <-m.taken:
		tb.Errorf("a report of nothing: %s%s", got.envelope, got.content)
	default:
	}
}

// reporting is controlled with an MTA.
func reporting(more string) string {
	return controlled("[submission]\nserver = \"unix:mta\"\noutbox = \"box\"\n" + more)
}

// wantWaiting waits until so many reports wait: what was sent is removed after the log says so.
func wantWaiting(tb testing.TB, dir string, want int) {
	tb.Helper()
	for end := time.Now().Add(patience); ; {
		n := len(names(tb, filepath.Join(dir, "box", "new")))
		if n == want {
			return
		}
		if time.Now().After(end) {
			tb.Fatalf("%d wait, want %d", n, want)
		}
	}
}

// askFor sends a message to local parts that each may have parameters.
func askFor(tb testing.TB, dir, mail string, rcpts ...string) {
	tb.Helper()
	d := session(tb, dir)
	d.say("MAIL FROM:"+mail, "250 ")
	for _, rcpt := range rcpts {
		local, params, _ := strings.Cut(rcpt, " ")
		d.say("RCPT TO:<"+local+"@example.org> "+params, "250 ")
	}
	d.say("DATA", "354 ")
	d.send(message("asks for a report") + ".\r\n")
	for range rcpts {
		d.want("250 2.0.0 ")
	}
	d.say("QUIT", "221 ")
}

const wantsReport = "<s@src.example>"

// TestReport: who asks for a report gets one, of all recipients who have the message, to the null reverse-path's
// rules. No one else does.
func TestReport(t *testing.T) {
	dir := place(t)
	m := startMTA(t, filepath.Join(dir, "mta"))
	s := serveConfig(t, dir, reporting(""))
	askFor(t, dir, "<>", "alice NOTIFY=SUCCESS")
	askFor(t, dir, wantsReport, "alice NOTIFY=NEVER", "bob NOTIFY=FAILURE")
	askFor(t, dir, wantsReport+" ENVID=QQ+2B1 RET=HDRS", "alice NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;staff+2Bx@example.org",
		"bob NOTIFY=SUCCESS", "bob NOTIFY=SUCCESS", "postmaster")
	got := m.next(t)
	if want := "MAIL FROM:<>\nRCPT TO:<s@src.example> NOTIFY=NEVER\n"; got.envelope != want {
		t.Errorf("envelope %q, want %q", got.envelope, want)
	}
	header, kinds, parts := readReport(t, got.content)
	for name, want := range map[string]string{
		"From": "Mail Delivery System <postmaster@mail.example.org>", "To": "s@src.example",
		"Subject": "Your message was delivered", "Auto-Submitted": "auto-replied",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if diff := cmp.Diff([]string{"text/plain", "message/delivery-status", "text/rfc822-headers"}, kinds); diff != "" {
		t.Fatal(diff)
	}
	groups := strings.Split(strings.TrimSpace(strings.ReplaceAll(parts[1], "\r\n", "\n")), "\n\n")
	if len(groups) != 3 || !strings.Contains(groups[0], "Original-Envelope-Id: QQ+1\n") ||
		!strings.Contains(groups[0], "Reporting-MTA: dns; mail.example.org\n") {
		t.Fatalf("%q", groups)
	}
	recipients := groups[1:]
	slices.Sort(recipients)
	if diff := cmp.Diff([]string{
		"Final-Recipient: rfc822; bob@example.org\nAction: delivered\nStatus: 2.1.5",
		"Original-Recipient: rfc822; staff+x@example.org\nFinal-Recipient: rfc822; alice@example.org\n" +
			"Action: delivered\nStatus: 2.1.5",
	}, recipients); diff != "" {
		t.Error(diff)
	}
	if want := "From: <s@example.com>\nSubject: asks for a report\n"; strings.ReplaceAll(parts[2], "\r\n", "\n") != want {
		t.Errorf("header %q, want %q", parts[2], want)
	}
	s.awaitLog(t, `msg=delivered`)
	s.awaitLog(t, `notify=success,failure orcpt=rfc822;staff+x@example.org`)
	s.awaitLog(t, `msg="report sent"`)
	s.awaitLog(t, `recipients=3 attempts=1 smtputf8=false reply="250 2.0.0 Ok: queued as 1234"`)
	if n := strings.Count(s.log.String(), `msg="report queued"`); n != 3 {
		t.Errorf("%d lines of reports that are queued", n)
	}
	m.wantNone(t)
	wantWaiting(t, dir, 0)
}

// TestReportLeftOut: a sender hears of the mailbox of an alias that refuses for good, and not whose it is, unless it
// wants no report.
func TestReportLeftOut(t *testing.T) {
	dir := place(t)
	m := startMTA(t, filepath.Join(dir, "mta"))
	s := serveConfig(t, dir, reporting("[[user]]\naddress = \"carol@example.org\"\ndisabled = \"reject\"\n"+
		"[[alias]]\naddress = \"team@example.org\"\nto = [\"alice@example.org\", \"carol@example.org\"]\n"))
	askFor(t, dir, "<>", "team")
	askFor(t, dir, wantsReport, "team NOTIFY=NEVER")
	askFor(t, dir, wantsReport, "team", "bob")
	got := m.next(t)
	if want := "MAIL FROM:<>\nRCPT TO:<s@src.example> NOTIFY=NEVER\n"; got.envelope != want {
		t.Errorf("envelope %q, want %q", got.envelope, want)
	}
	header, _, parts := readReport(t, got.content)
	const want = "Final-Recipient: rfc822; team@example.org\nAction: failed\nStatus: 5.2.1\n" +
		"Diagnostic-Code: smtp; 550 5.2.1 mailbox is disabled\n"
	if fields := strings.ReplaceAll(parts[1], "\r\n", "\n"); !strings.HasSuffix(fields, "\n\n"+want) ||
		header.Get("Subject") != "Your message was not delivered to all" {
		t.Errorf("%s%s", header.Get("Subject"), fields)
	}
	if strings.Contains(got.content, "carol") || !strings.Contains(parts[0], "550 5.2.1 mailbox is disabled") {
		t.Errorf("content %s", got.content)
	}
	s.awaitLog(t, `msg="report sent"`)
	m.wantNone(t)
	wantWaiting(t, dir, 0)
}

// readReport reads a report by a library that has not written it.
func readReport(tb testing.TB, content string) (h gomessage.Header, kinds, parts []string) {
	tb.Helper()
	e, err := gomessage.Read(strings.NewReader(content))
	if err != nil {
		tb.Fatal(err)
	}
	for r := e.MultipartReader(); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return e.Header, kinds, parts
		}
		if err != nil {
			tb.Fatalf("%v\n%s", err, content)
		}
		kind, _, _ := p.Header.ContentType()
		text, err := io.ReadAll(p.Body)
		if err != nil {
			tb.Fatal(err)
		}
		kinds, parts = append(kinds, kind), append(parts, string(text))
	}
}

// TestReportFailures: what the MTA refuses for good is dropped, what it does not take now stays, over a restart too.
func TestReportFailures(t *testing.T) {
	dir := place(t)
	path := filepath.Join(dir, "mta")
	m := startMTA(t, path)
	s := serveConfig(t, dir, reporting(""))
	for _, tt := range []struct{ verb, reply, log string }{
		{".", "554 5.7.1 no reports here", `msg="report dropped"`},
		{"RCPT", "550 5.1.1 no such sender", `reason=refused attempts=1 error="RCPT: server replied 550 5.1.1 no such sender"`},
		{"MAIL", "451 4.3.0 later", `reason="MAIL: server replied 451 4.3.0 later" uncertain=false`},
		{".", "", `uncertain=true`},
	} {
		m.answer(tt.verb, tt.reply)
		askFor(t, dir, wantsReport, "alice NOTIFY=SUCCESS")
		s.awaitLog(t, tt.log)
		m.mu.Lock()
		clear(m.answers)
		m.mu.Unlock()
	}
	m.answer("QUIT", "") // it has the message
	askFor(t, dir, wantsReport, "alice NOTIFY=SUCCESS")
	s.awaitLog(t, `msg="report sent"`)
	for n := 3; n > 0; n-- { // what was refused or lost after the content
		m.next(t)
	}
	m.closed()
	askFor(t, dir, wantsReport, "bob NOTIFY=SUCCESS")
	s.awaitLog(t, `connect: no such file or directory" uncertain=false`)
	wantWaiting(t, dir, 3)
	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	wantWaiting(t, dir, 3)
	m = startMTA(t, path)
	serveDir(t, dir)
	for range 3 { // maybe before the server listens
		m.next(t)
	}
	wantWaiting(t, dir, 0)
}

// offersDSN reports whether a new session is offered DSN, at a socket in dir.
func offersDSN(tb testing.TB, dir, socket string) bool {
	tb.Helper()
	d := dialTarget(tb, "unix", filepath.Join(dir, socket))
	d.want("220 ")
	d.send("LHLO client.example\r\n")
	for offered := false; ; {
		line, err := d.replies.ReadString('\n')
		if err != nil {
			tb.Fatal(err)
		}
		offered = offered || strings.TrimSpace(line[4:]) == "DSN"
		if line[3] == ' ' {
			d.say("QUIT", "221 ")
			return offered
		}
	}
}

// TestReportsAreReloaded: a reload gives what waits to another MTA, takes the offer back, and makes it again.
func TestReportsAreReloaded(t *testing.T) {
	dir := place(t)
	const deaf = "[[listen]]\naddress = \"unix:deaf\"\ndsn = false\n"
	s := serveConfig(t, dir, reporting(deaf))
	if !offersDSN(t, dir, "lmtp") || offersDSN(t, dir, "deaf") {
		t.Error("DSN is not offered where it should be")
	}
	old := session(t, dir)
	askFor(t, dir, wantsReport, "alice NOTIFY=SUCCESS")
	s.awaitLog(t, `msg="report deferred"`)
	reload := func(text string) {
		t.Helper()
		rewrite(t, dir, text)
		if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
			t.Fatal(out, errs)
		}
	}
	reload(controlled(strings.Replace(deaf, "dsn = false\n", "", 1)))
	if offersDSN(t, dir, "lmtp") {
		t.Error("DSN is offered without an MTA")
	}
	session(t, dir).say("MAIL FROM:<s@src.example> RET=HDRS", "555 5.5.4")
	old.say("MAIL FROM:<s@src.example> RET=HDRS", "250 ") // it was offered that
	m := startMTA(t, filepath.Join(dir, "other"))
	reload(strings.Replace(reporting(deaf), "unix:mta", "unix:other", 1))
	if got := m.next(t); !strings.Contains(got.content, "alice@example.org") {
		t.Error(got.content)
	}
	s.awaitLog(t, `msg="report sent"`)
	if !offersDSN(t, dir, "lmtp") || offersDSN(t, dir, "deaf") {
		t.Error("DSN is not offered again")
	}
}

// TestReportsWithdrawn: DSN is no longer offered when the MTA takes no reports, and is again when it does. What was
// promised in between is sent.
func TestReportsWithdrawn(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, reporting("withdraw_after = \"1s\"\n"))
	open := session(t, dir)
	askFor(t, dir, wantsReport, "alice NOTIFY=SUCCESS")
	s.awaitLog(t, `msg="report deferred"`)
	for end := time.Now().Add(patience); offersDSN(t, dir, "lmtp"); {
		if time.Now().After(end) {
			t.Fatal("DSN is still offered")
		}
	}
	s.awaitLog(t, `level=WARN msg="DSN withdrawn" reason=submission`)
	open.say("MAIL FROM:<s@src.example>", "250 ")
	open.say("RCPT TO:<bob@example.org> NOTIFY=SUCCESS", "250 ")
	open.say("DATA", "354 ")
	open.send(message("in between") + ".\r\n")
	open.want("250 2.0.0 ")
	m := startMTA(t, filepath.Join(dir, "mta"))
	rewrite(t, dir, reporting("withdraw_after = \"2s\"\n")) // so that it is tried at once
	if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
		t.Fatal(out, errs)
	}
	if got := m.next(t).content + m.next(t).content; !strings.Contains(got, "alice@") || !strings.Contains(got, "bob@") {
		t.Error(got)
	}
	s.awaitLog(t, `msg="DSN offered again"`)
	if !offersDSN(t, dir, "lmtp") {
		t.Error("DSN is not offered again")
	}
}

// TestReportsOverAnUpgrade: the new process sends what waits, and what sessions of the old one promise.
func TestReportsOverAnUpgrade(t *testing.T) {
	dir := place(t)
	m := startMTA(t, filepath.Join(dir, "mta"))
	s := serveConfig(t, dir, reporting(""))
	old := session(t, dir)
	m.answer("MAIL", "451 4.3.0 later")
	askFor(t, dir, wantsReport, "alice NOTIFY=SUCCESS")
	s.awaitLog(t, `msg="report deferred"`)
	m.answer("MAIL", "250 ok")
	upgraded(t, dir)
	m.next(t)
	old.say("MAIL FROM:<s@src.example>", "250 ")
	old.say("RCPT TO:<bob@example.org> NOTIFY=SUCCESS", "250 ")
	old.say("DATA", "354 ")
	old.send(message("by the old process") + ".\r\n")
	old.want("250 2.0.0 ")
	if got := m.next(t); !strings.Contains(got.content, "bob@") {
		t.Error(got.content)
	}
	old.say("QUIT", "221 ")
	s.awaitLog(t, "msg=stopped")
	wantWaiting(t, dir, 0)
	m.wantNone(t)
}

// TestReportsNeedAnOutbox: without one DSN is not offered, mail is taken, and it is offered as soon as there is one.
func TestReportsNeedAnOutbox(t *testing.T) {
	dir := place(t)
	if err := os.WriteFile(filepath.Join(dir, "box"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveConfig(t, dir, reporting(""))
	if log := s.log.String(); !strings.Contains(log, "the outbox cannot be used: DSN is not offered until it can") {
		t.Error(log)
	}
	if offersDSN(t, dir, "lmtp") {
		t.Error("DSN is offered")
	}
	session(t, dir).deliver("without an outbox", "alice")
	wantStored(t, dir, "alice", "without an outbox")
	if err := os.Remove(filepath.Join(dir, "box")); err != nil {
		t.Fatal(err)
	}
	rewrite(t, dir, reporting("timeout = \"10s\"\n")) // so that it is looked at now
	if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
		t.Fatal(out, errs)
	}
	for end := time.Now().Add(patience); !offersDSN(t, dir, "lmtp"); {
		if time.Now().After(end) {
			t.Fatal("DSN is not offered")
		}
	}
}

// TestReportsByTLSAndAuth: an MTA that is not whom the configuration says, or does not know the password, gets nothing,
// and DSN is withdrawn at once; the log says what is wrong.
func TestReportsByTLSAndAuth(t *testing.T) {
	there, dir := place(t), place(t)
	certify(t, there, time.Now().Add(90*24*time.Hour))
	write := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(there, "users", "doorstep:{PLAIN}secret\n")
	address := "tcp:127.0.0.1:" + peer.FreePort(t)
	serveConfig(t, there, plainConfig("[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n[auth]\n"+
		"passwd_file = \"users\"\n[[listen]]\naddress = \""+address+"\"\nprotocol = \"esmtp\"\ntls = \"required\"\n"+
		"auth = [\"PLAIN\"]\nrequire_auth = true\n"))
	write(dir, "password", "wrong\n")
	submission := "[submission]\nserver = \"" + address + "\"\ntls = \"starttls\"\noutbox = \"box\"\n" +
		"user = \"doorstep\"\npassword_file = \"password\"\n"
	s := serveConfig(t, dir, controlled(submission))
	askFor(t, dir, "<alice@example.org>", "bob NOTIFY=SUCCESS")
	reload := func(text string) {
		t.Helper()
		rewrite(t, dir, controlled(text))
		if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
			t.Fatal(out, errs)
		}
	}
	s.awaitLog(t, "certificate signed by unknown authority")
	s.awaitLog(t, `level=WARN msg="DSN withdrawn" reason=submission`)
	if offersDSN(t, dir, "lmtp") {
		t.Error("DSN is offered")
	}
	submission += "ca = \"" + there + "/cert.pem\"\n"
	reload(submission)
	s.awaitLog(t, `level=ERROR msg="report deferred"`)
	s.awaitLog(t, "AUTH PLAIN: server replied 535 5.7.8")
	if offersDSN(t, dir, "lmtp") {
		t.Error("DSN is offered")
	}
	write(dir, "password", "secret\n")
	reload(submission + "timeout = \"20s\"\n")
	s.awaitLog(t, `msg="report sent"`)
	s.awaitLog(t, `msg="DSN offered again"`)
	got := texts(t, there, "alice")
	if len(got) != 1 || !strings.HasPrefix(got[0], "Return-Path: <>\n") || !strings.Contains(got[0], "rfc822; bob@") {
		t.Errorf("%q", got)
	}
}

// TestReportsAreBounded: before a sender asks for too many reports DSN is withdrawn. What a session asks for that was
// offered it is delivered without.
func TestReportsAreBounded(t *testing.T) {
	dir := place(t)
	m := startMTA(t, filepath.Join(dir, "mta"))
	s := serveConfig(t, dir, reporting("[reports]\nper_sender = 1\nheader = \"1KiB\"\n"+
		"from = \"Mail <post@example.org>\"\n"))
	d := session(t, dir)
	for n := range 3 {
		if offered := offersDSN(t, dir, "lmtp"); offered != (n < 2) {
			t.Errorf("after %d reports DSN is offered: %v", n, offered)
		}
		d.say("MAIL FROM:<s@src.example>", "250 ")
		d.say("RCPT TO:<alice@example.org> NOTIFY=SUCCESS", "250 ")
		d.say("DATA", "354 ")
		d.send(strings.Repeat("X: "+strings.Repeat("x", 70)+"\r\n", 100) + message("one more") + ".\r\n")
		d.want("250 2.0.0 ")
	}
	for range 2 {
		header, _, parts := readReport(t, m.next(t).content)
		if from := header.Get("From"); from != `"Mail" <post@example.org>` {
			t.Errorf("from %q", from)
		}
		if n := len(parts[2]); n > 1<<10 || n < 900 {
			t.Errorf("%d octets of header", n)
		}
	}
	s.awaitLog(t, `level=WARN msg="DSN withdrawn" reason=rate`)
	s.awaitLog(t, `level=WARN msg="report dropped" reason=rate`)
	wantWaiting(t, dir, 0)
	m.wantNone(t)
	if n := len(texts(t, dir, "alice")); n != 3 {
		t.Errorf("%d messages are delivered", n)
	}
}
