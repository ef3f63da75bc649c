package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/cmd/internal/outgoing"
)

// submissionConfig has reports wait in ./outbox for an MTA on ./mta.
const submissionConfig = "[submission]\nserver = \"unix:mta\"\noutbox = \"outbox\"\n"

// waitingEntry is the name of one that was queued in the year 2100, and so does not expire.
const waitingEntry = "4102444800000000000.AAAAAAAAAA.mail.example.org"

// wait puts an entry into an outbox.
func wait(tb testing.TB, dir, name string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "new"), 0o700); err != nil {
		tb.Fatal(err)
	}
	const header = "Subject: hello\n"
	entry := fmt.Sprintf(`{"v":1,"kind":"report","transaction":"t","sender":"s@src.example","envid":"QQ1",`+
		`"orcpt_type":"rfc822","orcpt":"a@example.org","final":"alice@example.org","arrived":%q,"octets":%d}`,
		time.Now().Format(time.RFC3339), len(header)) + "\n" + header
	if err := os.WriteFile(filepath.Join(dir, "new", name), []byte(entry), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// gauge is the value of a metric, "" where there is none.
func gauge(tb testing.TB, dir, name string) string {
	tb.Helper()
	for _, line := range scrape(tb, dir) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return value
		}
	}
	return ""
}

// TestOutbox: a report waits while the MTA is away: list, status, the page and the metrics have it, and say that no
// further ones are promised. When the MTA is back flush has it sent.
func TestOutbox(t *testing.T) {
	dir := place(t)
	wait(t, filepath.Join(dir, "outbox"), "1.BBBBBBBBBB.other.example") // of another machine, for all of the test
	s := serveConfig(t, dir, plainConfig(adminConfig+"[control]\nsocket = \"control\"\n"+
		strings.Replace(submissionConfig, "[submission]\n", "[submission]\nwithdraw_after = \"1s\"\n", 1)))
	s.awaitLog(t, "admin listener")
	for name, want := range map[string]string{
		"doorstep_outbox_entries": "0", "doorstep_outbox_bytes": "0", "doorstep_outbox_oldest_seconds": "0",
		"doorstep_dsn_offered": "1", `doorstep_reports_total{outcome="lost"}`: "0",
	} {
		if got := gauge(t, dir, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if out, code := invoke(t, dir, "status", "-c", "doorstep.toml"); code != 0 ||
		!strings.Contains(out, "outbox     no report waits; reports of success are offered\n") {
		t.Errorf("exit status %d\n%s", code, out)
	}

	c := session(t, dir)
	c.say("MAIL FROM:<s@src.example> ENVID=QQ1", "250 2.1.0")
	c.say("RCPT TO:<alice@example.org> NOTIFY=SUCCESS ORCPT=rfc822;a@example.org", "250 2.1.5")
	c.say("DATA", "354")
	c.say(message("x")+".", "250 2.0.0")
	s.awaitLog(t, "report deferred")
	eventually(t, func() bool { return gauge(t, dir, "doorstep_dsn_offered") == "0" },
		func() string { return strings.Join(scrape(t, dir), "\n") })
	if n := gauge(t, dir, "doorstep_outbox_entries"); n != "1" {
		t.Errorf("%s entries", n)
	}
	out, _ := invoke(t, dir, "outbox", "list", "-c", "doorstep.toml", "--json")
	var list []outgoing.Listed
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	if e := list[1]; e.State != "waiting" || e.Sender != "s@src.example" || e.Recipient != "alice@example.org" ||
		e.Tries == nil || *e.Tries < 1 || !e.Next.After(time.Now()) || time.Since(e.Queued) > time.Hour {
		t.Errorf("%+v", e)
	}
	if list[0].State != "elsewhere" || list[0].Tries != nil {
		t.Errorf("%+v", list[0])
	}
	if out, _ := invoke(t, dir, "outbox", "list", "-c", "doorstep.toml"); !strings.Contains(out, "  in ") ||
		!strings.Contains(out, "1 report waiting, 1 of other machines\n") {
		t.Errorf("%s", out)
	}
	if out, code := invoke(t, dir, "outbox", "show", "-c", "doorstep.toml", list[1].Entry); code != 0 ||
		!strings.Contains(out, "\nOriginal-Recipient: rfc822; a@example.org\n") || !strings.Contains(out, "\nSubject: x\n") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	out, code := invoke(t, dir, "status", "-c", "doorstep.toml")
	if code != 0 || !strings.Contains(out, "outbox     1 report waits (") ||
		!strings.Contains(out, "reports of success are NOT OFFERED: the server does not take what waits: ") ||
		!strings.Contains(out, "mta: connect: no such file or directory") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	var snapshot status.Snapshot
	_, body := ask(t, dir, "/status.json")
	if err := json.Unmarshal([]byte(body), &snapshot); err != nil || snapshot.Outbox == nil || snapshot.Outbox.Offered ||
		snapshot.Outbox.Entries != 1 || snapshot.Outbox.Why == "" {
		t.Errorf("%v: %s", err, body)
	}
	if _, page := ask(t, dir, "/"); !strings.Contains(page, "not offered") || !strings.Contains(page, "1 report waits") {
		t.Errorf("the page:\n%s", page)
	}

	startMTA(t, filepath.Join(dir, "mta"))
	if out, code := invoke(t, dir, "outbox", "flush", "-c", "doorstep.toml"); code != 0 ||
		out != "1 report will be tried now\n" {
		t.Errorf("exit status %d\n%s", code, out)
	}
	s.awaitLog(t, "report sent")
	eventually(t, func() bool { return gauge(t, dir, "doorstep_dsn_offered") == "1" },
		func() string { return strings.Join(scrape(t, dir), "\n") })
	for name, want := range map[string]string{
		"doorstep_outbox_entries": "0", `doorstep_reports_total{outcome="queued"}`: "1",
		`doorstep_reports_total{outcome="sent"}`: "1", `doorstep_submissions_total{outcome="sent"}`: "1",
	} {
		if got := gauge(t, dir, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if out, _ := invoke(t, dir, "outbox", "list", "-c", "doorstep.toml"); !strings.Contains(out,
		"nothing waits, 1 of other machines\n") {
		t.Errorf("%s", out)
	}
	if out, code := invoke(t, dir, "outbox", "flush", "-c", "doorstep.toml"); code != 0 || out != "nothing waits\n" {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

// TestWithoutOutbox: where no reports are promised no metric says that something is wrong with them, and flush says why
// it does nothing.
func TestWithoutOutbox(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(adminConfig+"[control]\nsocket = \"control\"\n"))
	s.awaitLog(t, "admin listener")
	for _, line := range scrape(t, dir) {
		if strings.HasPrefix(line, "doorstep_dsn_offered") || strings.HasPrefix(line, "doorstep_outbox_") {
			t.Error(line)
		}
	}
	if out, code := invoke(t, dir, "status", "-c", "doorstep.toml"); code != 0 || strings.Contains(out, "outbox") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	if out, code := invoke(t, dir, "outbox", "flush", "-c", "doorstep.toml"); code != 1 ||
		!strings.Contains(out, "flush: the running server has no outbox\nhint: write [submission]") {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

// TestStatusShowsState: what is remembered is shown, and why nothing is.
func TestStatusShowsState(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(adminConfig+"[state]\npath = \"state.db\"\nentries = 100\n"))
	s.awaitLog(t, "state is kept")
	if out, code := invoke(t, dir, "status", "-c", "doorstep.toml"); code != 0 ||
		!strings.Contains(out, "state      0 of 100 entries; kept\n") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	broken := place(t)
	s = serveConfig(t, broken, plainConfig(adminConfig+"[state]\npath = \"lost/state.db\"\n"))
	s.awaitLog(t, "admin listener")
	if out, code := invoke(t, broken, "status", "-c", "doorstep.toml"); code != 0 ||
		!strings.Contains(out, "; not kept: ") || !strings.Contains(out, "lost/state.db: no such file or directory") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	if _, page := ask(t, broken, "/"); !strings.Contains(page, "not kept") {
		t.Errorf("the page:\n%s", page)
	}
}

// TestOutboxAs: root looks after an outbox with the rights of its owner and no more, and another user hears what it
// takes.
func TestOutboxAs(t *testing.T) {
	needRoot(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	dir := place(t)
	box := filepath.Join(dir, "outbox")
	const theirs = "4102444900000000000.BBBBBBBBBB.mail.example.org"
	wait(t, box, waitingEntry)
	wait(t, box, theirs)
	sick{prepare: "chown -R mail outbox; chmod 755 .; chown root outbox/new/" + theirs}.lay(t, dir, program, "1")
	rewrite(t, dir, plainConfig(submissionConfig))
	if err := os.Chmod(filepath.Join(dir, "doorstep.toml"), 0o644); err != nil {
		t.Fatal(err)
	}
	verb := func(as string, args ...string) (string, int) {
		args = append([]string{"--reuid=" + as, "--clear-groups", program, "outbox", args[0], "-c", "doorstep.toml"},
			args[1:]...)
		out, errs, code := runProgram(t, dir, "setpriv", args...)
		return out + errs, code
	}
	if out, code := verb("games", "list"); code != 1 || !strings.Contains(out, "permission denied") ||
		!strings.Contains(out, "hint: do it as root, or as the user who runs the server") {
		t.Errorf("another user: exit status %d: %s", code, out)
	}
	for _, as := range []string{"root", "mail"} {
		if out, code := verb(as, "show", waitingEntry); code != 0 || !strings.Contains(out, "\nSubject: hello\n") {
			t.Errorf("as %s: exit status %d: %s", as, code, out)
		}
		if out, code := verb(as, "show", theirs); code != 1 || !strings.Contains(out, "permission denied") {
			t.Errorf("as %s, a file that only root may read: exit status %d: %s", as, code, out)
		}
	}
	if out, code := verb("root", "remove", waitingEntry); code != 0 || out != "1 entry removed\n" {
		t.Errorf("exit status %d: %s", code, out)
	}
}

// TestCheckConnectAs: a socket of the MTA's that the server's user may not use is found by root.
func TestCheckConnectAs(t *testing.T) {
	needRoot(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	dir := place(t)
	l, err := net.Listen("unix", filepath.Join(dir, "mta"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	prepare := "mkdir outbox; chown mail . mail outbox; chmod 755 .; chown root mta; chmod 700 mta"
	sick{prepare: prepare}.lay(t, dir, program, "1")
	rewrite(t, dir, plainConfig(submissionConfig))
	if err := os.Chmod(filepath.Join(dir, "doorstep.toml"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, code := runProgram(t, dir, program, "check", "--connect", "--as", "mail", "-c", "doorstep.toml")
	if code != 0 || !strings.Contains(errs, "submission.server: warning: ") ||
		!strings.Contains(errs, "permission denied (the socket's owner, group and mode") {
		t.Errorf("exit status %d: %s%s", code, out, errs)
	}
}

// TestLookupSaysWhoReports: this server where it offers DSN, and else the MTA.
func TestLookupSaysWhoReports(t *testing.T) {
	const other = "[[listen]]\naddress = \"unix:other\"\n"
	for _, tt := range []struct{ more, text, word string }{
		{"", "", "mta"},
		{submissionConfig, "report   = by this server, while it offers DSN: doorstep status says whether it does\n",
			"server"},
		{submissionConfig + other, "report   = by this server, while", "server"},
		{submissionConfig + other + "dsn = false\n",
			"report   = by this server where the client comes by a listener with dsn", "listener"},
	} {
		dir := place(t)
		rewrite(t, dir, plainConfig(tt.more))
		out, code := invoke(t, dir, "lookup", "-c", "doorstep.toml", "alice@example.org")
		if code != 0 || !strings.Contains(out, tt.text) || tt.text == "" && strings.Contains(out, "report") {
			t.Errorf("%s: exit status %d\n%s", tt.more, code, out)
		}
		if out, _ := invoke(t, dir, "lookup", "-c", "doorstep.toml", "--json", "alice@example.org"); !strings.Contains(out,
			`"success_report": "`+tt.word+`"`) {
			t.Errorf("%s\n%s", tt.more, out)
		}
		if out, _ := invoke(t, dir, "lookup", "-c", "doorstep.toml", "--json", "x@example.org"); strings.Contains(out,
			"success_report") {
			t.Errorf("of a refusal:\n%s", out)
		}
	}
	dir := place(t)
	rewrite(t, dir, strings.Replace(plainConfig(submissionConfig), "unix:lmtp\"\n", "unix:lmtp\"\ndsn = false\n", 1))
	if out, _ := invoke(t, dir, "lookup", "-c", "doorstep.toml", "alice@example.org"); !strings.Contains(out,
		"report   = by the MTA, as DSN is not offered\n") {
		t.Errorf("%s", out)
	}
}
