package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// Clients written by others, each with a good recipient, an unknown one, one whose mailbox is over its
// quota, which RCPT tells, and one whose mailbox is in no state to take mail, which comes out later.

// clientSite is a server with an LMTP socket, ESMTP on TCP, a mailbox of bob that is a file, and one of
// full that is full.
func clientSite(t *testing.T) (dir, esmtp string) {
	t.Helper()
	dir = place(t)
	configuration, addr := frontConfig(t, "protocol = \"esmtp\"")
	if err := os.MkdirAll(filepath.Dir(maildir(dir, "bob")), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(maildir(dir, "bob"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(maildir(dir, "full"), sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(maildir(dir, "full"), "cur", "1.a:2,S"), make([]byte, 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	serveConfig(t, dir, configuration+"[[user]]\naddress = \"full@example.org\"\nquota = 1000\n")
	return dir, addr
}

// pythonClient sends by Python's smtplib what its standard input says, and prints what
// became of it. sendmail knows one answer after the content, so LMTP is spoken by hand there.
const pythonClient = `
import json, smtplib, sys
job = json.load(sys.stdin)
result = {}
if job["protocol"] == "lmtp":
    with smtplib.LMTP(job["path"]) as c:
        c.ehlo_or_helo_if_needed()
        c.mail("s@example.com")
        accepted = [to for to in job["to"] if result.setdefault(to, c.rcpt(to)[0]) == 250]
        c.docmd("DATA")
        c.send(smtplib._fix_eols(job["message"]) + ".\r\n")
        for to in accepted:
            result[to] = c.getreply()[0]
else:
    with smtplib.SMTP(job["host"], job["port"]) as c:
        try:
            refused = c.sendmail("s@example.com", job["to"], job["message"], mail_options=["SMTPUTF8", "BODY=8BITMIME"])
            result = {to: refused.get(to, (250,))[0] for to in job["to"]}
        except smtplib.SMTPDataError as e:
            result = {to: e.smtp_code for to in job["to"]}
json.dump(result, sys.stdout)
`

func runPython(t *testing.T, job map[string]any) map[string]int {
	t.Helper()
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", pythonClient)
	cmd.Stdin = strings.NewReader(string(in))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	result := map[string]int{}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return result
}

func TestPythonSmtplib(t *testing.T) {
	peer.Need(t, "python3")
	dir, addr := clientSite(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	alice, nx, bob, full := "alice@example.org", "nobody@example.org", "bob@example.org", "full@example.org"
	want := func(name string, got, want map[string]int) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
	want("LMTP", runPython(t, map[string]any{"protocol": "lmtp", "path": filepath.Join(dir, "lmtp"),
		"to": []string{alice, nx, bob, full}, "message": message("python lmtp")}),
		map[string]int{alice: 250, nx: 550, bob: 451, full: 452})
	want("ESMTP", runPython(t, map[string]any{"protocol": "esmtp", "host": host, "port": port,
		"to": []string{alice, nx, full}, "message": message("python esmtp")}), map[string]int{alice: 250, nx: 550, full: 452})
	// One reply for all (DATA-12).
	want("ESMTP, all or none", runPython(t, map[string]any{"protocol": "esmtp", "host": host, "port": port,
		"to": []string{alice, bob}, "message": message("nobody gets this")}), map[string]int{alice: 451, bob: 451})
	wantStored(t, dir, "alice", "python lmtp", "python esmtp")
}

func TestGoSMTPClient(t *testing.T) {
	dir, addr := clientSite(t)
	begin := func(c *smtp.Client) {
		t.Helper()
		t.Cleanup(func() { c.Close() })
		if err := errors.Join(c.Hello("client.example"),
			c.Mail("s@example.com", &smtp.MailOptions{UTF8: true, Size: 100})); err != nil {
			t.Fatal(err)
		}
	}
	refusal := func(err error) int {
		var e *smtp.SMTPError
		if errors.As(err, &e) {
			return e.Code
		}
		return 0
	}

	conn, err := net.Dial("unix", filepath.Join(dir, "lmtp"))
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClientLMTP(conn)
	begin(c)
	if code := refusal(c.Rcpt("nobody@example.org", nil)); code != 550 {
		t.Errorf("unknown recipient: %d", code)
	}
	if code := refusal(c.Rcpt("full@example.org", nil)); code != 452 {
		t.Errorf("full mailbox: %d", code)
	}
	if err := errors.Join(c.Rcpt("alice@example.org", nil), c.Rcpt("bob@example.org", nil)); err != nil {
		t.Fatal(err)
	}
	data, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := data.Write([]byte(message("go lmtp"))); err != nil {
		t.Fatal(err)
	}
	delivered, err := data.CloseWithLMTPResponse()
	var failed smtp.LMTPDataError
	if !errors.As(err, &failed) || len(failed) != 1 || failed["bob@example.org"] == nil ||
		failed["bob@example.org"].Code != 451 ||
		len(delivered) != 1 || delivered["alice@example.org"] == nil {
		t.Errorf("LMTP: delivered %v, failed %v", delivered, err)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}

	c, err = smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	err = c.SendMail("s@example.com", []string{"alice@example.org"}, strings.NewReader(message("go esmtp")))
	if err != nil {
		t.Error(err)
	}
	err = c.SendMail("s@example.com", []string{"alice@example.org", "bob@example.org"},
		strings.NewReader(message("nobody gets this")))
	if code := refusal(err); code != 451 {
		t.Errorf("ESMTP, all or none: %v", err)
	}
	wantStored(t, dir, "alice", "go lmtp", "go esmtp")
}
