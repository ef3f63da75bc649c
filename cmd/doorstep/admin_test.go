package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

const adminConfig = "[admin]\naddress = \"unix:admin\"\n"

// ask returns the answer of a server's admin socket.
func ask(tb testing.TB, dir, path string) (code int, body string) {
	tb.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", filepath.Join(dir, "admin"))
		}}}
	r, err := client.Get("http://localhost" + path)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// serveAdmin runs a server with an admin listener, and waits until that is open.
func serveAdmin(tb testing.TB, dir string) *server {
	tb.Helper()
	s := serveConfig(tb, dir, plainConfig(adminConfig+submissionConfig))
	s.awaitLog(tb, "admin listener")
	return s
}

// scrape returns the lines of /metrics that are no comments.
func scrape(tb testing.TB, dir string) []string {
	tb.Helper()
	_, body := ask(tb, dir, "/metrics")
	var lines []string
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// eventually asks until there is an answer that is wanted: what is counted is so a little later
// than the client is answered.
func eventually(tb testing.TB, wanted func() bool, say func() string) {
	tb.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !wanted() {
		select {
		case <-tick.C:
		case <-end:
			tb.Fatalf("waited too long: %s", say())
		}
	}
}

// exercise makes a server count something of everything: a delivery, refusals by several rules, a
// reload that works, and one that does not.
func exercise(tb testing.TB, s *server, dir string) {
	tb.Helper()
	c := session(tb, dir)
	c.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	c.say("RCPT TO:<alice@example.org>", "250 2.1.5")
	c.say("RCPT TO:<nobody@example.org>", "550 5.1.1")
	c.say("RCPT TO:<alice@elsewhere.example>", "550 5.1.2")
	c.say("DATA", "354")
	c.say(message("x")+".", "250 2.0.0")
	c.say("XYZZY", "500 5.5.1")
	c.say("QUIT", "221 2.0.0")
	file := filepath.Join(dir, "doorstep.toml")
	good, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range []struct{ text, outcome string }{
		{string(good) + "\nxyzzy = 1\n", "configuration not reloaded"}, {string(good), "configuration reloaded"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			tb.Fatal(err)
		}
		s.signal(tb, syscall.SIGHUP)
		s.awaitLog(tb, c.outcome)
	}
}

// TestMetrics: what happened is counted, under labels that hold nobody's address.
func TestMetrics(t *testing.T) {
	dir := place(t)
	s := serveAdmin(t, dir)
	exercise(t, s, dir)
	want := []string{
		`doorstep_sessions_total{protocol="lmtp"} 1`, `doorstep_sessions_open{protocol="lmtp"} 0`,
		`doorstep_replies_total{code="220",verb="CONNECT"} 1`, `doorstep_replies_total{code="500",verb="UNKNOWN"} 1`,
		`doorstep_replies_total{code="550",verb="RCPT"} 2`, `doorstep_replies_total{code="250",verb="DATA"} 1`,
		`doorstep_recipients_total{outcome="delivered",rule=""} 1`,
		`doorstep_recipients_total{outcome="refused",rule="account"} 1`,
		`doorstep_recipients_total{outcome="refused",rule="domain"} 1`, `doorstep_messages_total 1`,
		`doorstep_stage_duration_seconds_count 1`, `doorstep_sync_duration_seconds_count 1`,
		`doorstep_commit_duration_seconds_count 1`,
		`doorstep_copies_in_flight 0`, `doorstep_ready 1`,
		`doorstep_config_reloads_total{result="success"} 1`, `doorstep_config_reloads_total{result="failure"} 1`,
	}
	missing := func() (list []string) {
		all := "\n" + strings.Join(scrape(t, dir), "\n") + "\n"
		for _, line := range want {
			if !strings.Contains(all, "\n"+line+"\n") {
				list = append(list, line)
			}
		}
		return list
	}
	eventually(t, func() bool { return len(missing()) == 0 },
		func() string { return strings.Join(missing(), "; ") + "\nin\n" + strings.Join(scrape(t, dir), "\n") })
	for _, line := range scrape(t, dir) {
		if strings.Contains(line, "@") || strings.Contains(line, "example") {
			t.Errorf("an address is in a metric: %s", line)
		}
	}
}

// metricRow is a row of the table of metrics in the documentation.
var metricRow = regexp.MustCompile("(?m)^\\| `(doorstep_[a-z_]+)` \\| (counter|gauge|histogram) \\|([^|]*)\\|")

// TestEveryMetricIsDocumented, and every one that is documented exists, of that type and with those
// labels.
func TestEveryMetricIsDocumented(t *testing.T) {
	dir := place(t)
	s := serveAdmin(t, dir)
	exercise(t, s, dir)
	var body string
	eventually(t, func() bool {
		_, body = ask(t, dir, "/metrics")
		return strings.Contains(body, `doorstep_recipients_total{outcome="delivered",rule=""} 1`)
	}, func() string { return body })
	page, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = row[2]
		for _, label := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(row[3], -1) {
			if !regexp.MustCompile(`(?m)^` + row[1] + `(_bucket)?\{[^}]*\b` + label[1] + `="`).MatchString(body) {
				t.Errorf("%s has no label %s", row[1], label[1])
			}
		}
	}
	exists := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (doorstep_[a-z_]+) ([a-z]+)$`).FindAllStringSubmatch(body, -1) {
		exists[line[1]] = line[2]
	}
	for name, kind := range exists {
		if documented[name] != kind {
			t.Errorf("%s is a %s, and documented as %q", name, kind, documented[name])
		}
	}
	for name := range documented {
		if exists[name] == "" {
			t.Errorf("%s is documented and does not exist", name)
		}
	}
	if len(exists) < 25 {
		t.Errorf("only %d metrics", len(exists))
	}
}

// TestReadiness: a store that cannot be written to is reported, and so is one that has come back.
func TestReadiness(t *testing.T) {
	dir := place(t)
	serveAdmin(t, dir)
	if code, body := ask(t, dir, "/readyz"); code != 200 || body != "ready\n" {
		t.Errorf("%d %s", code, body)
	}
	root := filepath.Join(dir, "mail")
	if err := os.Rename(root, root+".gone"); err != nil {
		t.Fatal(err)
	}
	if code, body := ask(t, dir, "/readyz"); code != 503 || !strings.Contains(body, "store "+root) {
		t.Errorf("without a store: %d %s", code, body)
	}
	if code, _ := ask(t, dir, "/healthz"); code != 200 {
		t.Errorf("alive: %d", code)
	}
	if err := os.Rename(root+".gone", root); err != nil {
		t.Fatal(err)
	}
	if code, body := ask(t, dir, "/readyz"); code != 200 {
		t.Errorf("%d %s", code, body)
	}
}

// TestStatusCommand: the terminal shows what the server does, and its exit status says whether it
// can.
func TestStatusCommand(t *testing.T) {
	dir := place(t)
	s := serveAdmin(t, dir)
	exercise(t, s, dir)
	eventually(t, func() bool {
		_, body := ask(t, dir, "/status.json")
		return strings.Contains(body, `"hour":{"delivered":1`)
	}, func() string { _, body := ask(t, dir, "/status.json"); return body })
	out, code := invoke(t, dir, "status", "-c", "doorstep.toml")
	for _, want := range []string{": ready, up for", "1 delivered", "2 refused", "alice@example.org",
		"no such mailbox here"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	out, _ = invoke(t, dir, "status", "-c", "doorstep.toml", "--json")
	var snapshot status.Snapshot
	if err := json.Unmarshal([]byte(out), &snapshot); err != nil || snapshot.Hour.Refused != 2 ||
		len(snapshot.Settings) < 20 {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(dir, "mail"), filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	if out, code = invoke(t, dir, "status", "-c", "doorstep.toml"); code != 1 || !strings.Contains(out, "NOT READY") {
		t.Errorf("without a store: exit %d\n%s", code, out)
	}
	s.signal(t, syscall.SIGTERM)
	s.exitCode(t)
	if out, code = invoke(t, dir, "status", "-c", "doorstep.toml"); code != 1 ||
		!strings.Contains(out, "hint: is doorstep serve running") {
		t.Errorf("without a server: exit %d\n%s", code, out)
	}
	if _, err := os.Lstat(filepath.Join(dir, "admin")); !os.IsNotExist(err) {
		t.Errorf("the admin socket was left behind: %v", err)
	}
}

// TestAdminThatCannotBe: mail goes on, and the log says once what is wrong, with a hint.
func TestAdminThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string) (admin string)
		want    []string
	}{
		"a file in the way": {
			func(t *testing.T, dir string) string {
				if err := os.WriteFile(filepath.Join(dir, "admin"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				return `address = "unix:admin"`
			}, []string{"not a socket", "choose another address"},
		},
		"a socket that is taken": {
			func(t *testing.T, dir string) string {
				l, err := net.Listen("unix", filepath.Join(dir, "admin"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				return `address = "unix:admin"`
			}, []string{"a server is running there", "stop it first"},
		},
		"a port that is taken": {
			func(t *testing.T, _ string) string {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				return `address = "tcp:` + l.Addr().String() + `"`
			}, []string{"address already in use", "ss -ltnp"},
		},
		"a token that all can read": {
			func(t *testing.T, dir string) string {
				if err := os.WriteFile(filepath.Join(dir, "token"), []byte("0123456789abcdef"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(filepath.Join(dir, "token"), 0o644); err != nil {
					t.Fatal(err)
				}
				return "address = \"unix:admin\"\ntoken_file = \"token\""
			}, []string{"open to every user", "chmod o="},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := place(t)
			s := serveConfig(t, dir, plainConfig("[admin]\n"+c.prepare(t, dir)+"\n"))
			deliverOne(t, dir)
			log := s.log.String()
			for _, want := range append(c.want, "no admin listener", "mail is taken") {
				if !strings.Contains(log, want) {
					t.Errorf("no %q in\n%s", want, log)
				}
			}
			if n := strings.Count(log, "no admin listener"); n != 1 {
				t.Errorf("said %d times", n)
			}
		})
	}
}

// deliverOne delivers a message.
func deliverOne(t *testing.T, dir string) {
	t.Helper()
	c := session(t, dir)
	c.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	c.say("RCPT TO:<alice@example.org>", "250 2.1.5")
	c.say("DATA", "354")
	c.say(message("x")+".", "250 2.0.0")
	c.say("QUIT", "221 2.0.0")
}

// TestTraceCommand: a dialogue of the running server is shown, without the content.
func TestTraceCommand(t *testing.T) {
	dir := place(t)
	serveAdmin(t, dir)
	p, err := launch(dir, "trace", "-c", "doorstep.toml", "ALICE@example.org")
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	p.awaitLog(t, "watching")
	deliverOne(t, dir)
	for _, want := range []string{"session begins", "C: MAIL FROM:<a@src.example>", "C: RCPT TO:<alice@example.org>",
		"octets of content)", "mailbox alice@example.org: delivered"} {
		if err := p.out.await(want); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(t, syscall.SIGINT)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("exit %d: %s", code, p.log.String())
	}
	if out := p.out.String(); strings.Contains(out, "Hello") || strings.Contains(out, lastLine) {
		t.Errorf("content is shown:\n%s", out)
	}
}

// TestTraceMistakes: what is wrong is said, with a hint.
func TestTraceMistakes(t *testing.T) {
	dir := place(t)
	for configuration, wants := range map[string][]string{
		"":          {"no admin listener", "write [admin]"},
		adminConfig: {"ask the server", "is doorstep serve running"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(plainConfig(configuration)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, verb := range [][]string{{"trace", "alice@example.org"}, {"status"}} {
			out, code := invoke(t, dir, append(verb, "-c", "doorstep.toml")...)
			for _, want := range wants {
				if code == 0 || !strings.Contains(out, want) {
					t.Errorf("%s: exit %d, no %q in\n%s", verb, code, want, out)
				}
			}
		}
	}
	if out, code := invoke(t, dir, "trace", "alice", "-c", "doorstep.toml"); code != 2 ||
		!strings.Contains(out, "hint: write an address") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// invoke is doorstep, with all that it says in one.
func invoke(tb testing.TB, dir string, args ...string) (output string, code int) {
	tb.Helper()
	stdout, stderr, code := doorstep(tb, dir, args...)
	return stdout + stderr, code
}

// TestAdminOutlivesUpgrade: the new process answers on the same socket.
func TestAdminOutlivesUpgrade(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, controlled(adminConfig))
	s.awaitLog(t, "admin listener")
	pid := upgraded(t, dir)
	s.awaitLog(t, "msg=stopped")
	_, body := ask(t, dir, "/status.json")
	var snapshot status.Snapshot
	if err := json.Unmarshal([]byte(body), &snapshot); err != nil || snapshot.PID != pid {
		t.Errorf("process %d answers, want %d: %v", snapshot.PID, pid, err)
	}
}

// TestStatusWatch: it is shown again and again, until it is interrupted.
func TestStatusWatch(t *testing.T) {
	dir := place(t)
	serveAdmin(t, dir)
	p, err := launch(dir, "status", "-c", "doorstep.toml", "--watch")
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	for range 2 {
		if err := p.out.await(": ready, up for"); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(t, syscall.SIGINT)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("exit %d: %s", code, p.log.String())
	}
}

// TestTraceNobodyReads: who watches and does not read is no hindrance to mail, and hears later how
// much was lost.
func TestTraceNobodyReads(t *testing.T) {
	dir := place(t)
	serveAdmin(t, dir)
	watcher, err := net.Dial("unix", filepath.Join(dir, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	if _, err := io.WriteString(watcher, "GET /trace?of=unix HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewReader(watcher)
	for line := ""; line != "{}\n"; { // it watches
		if line, err = answer.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	c := session(t, dir)
	for range 40 {
		c.send(strings.Repeat("HELP\r\n", 90)) // some 70 octets of trace for each
		for range 90 {
			c.want("214 ")
		}
		c.deliver("between", "alice") // not too many idle commands at once
	}
	if n := len(stored(t, dir, "alice")); n != 40 {
		t.Errorf("%d messages are stored, want 40", n)
	}
	for read := 1; ; read++ {
		line, err := answer.ReadString('\n')
		if err != nil {
			t.Fatalf("nothing was lost, or it was not told: %v", err)
		}
		if strings.Contains(line, `"dropped":`) {
			return
		}
		if read%500 == 0 {
			c.say("NOOP", "250 ") // a line after those that are lost, when there is room again
		}
	}
}

// TestAdminToken: with a token the verbs work, with another they say that it is wrong, and without one a
// loopback address shows no traces.
func TestAdminToken(t *testing.T) {
	dir := place(t)
	address := "127.0.0.1:" + peer.FreePort(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("token", "0123456789abcdef\n")
	admin := "[admin]\naddress = \"tcp:" + address + "\"\n"
	s := serveConfig(t, dir, plainConfig(admin+"token_file = \"token\"\n"))
	s.awaitLog(t, "admin listener")
	if out, code := invoke(t, dir, "status", "-c", "doorstep.toml"); code != 0 || !strings.Contains(out, ": ready") {
		t.Errorf("with the token: exit %d\n%s", code, out)
	}
	p, err := launch(dir, "trace", "-c", "doorstep.toml", "unix")
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	p.awaitLog(t, "watching")
	write("token", "another0123456789\n")
	if out, code := invoke(t, dir, "status", "-c", "doorstep.toml"); code != 1 ||
		!strings.Contains(out, "show the token") || !strings.Contains(out, "hint: admin.token_file") {
		t.Errorf("with another token: exit %d\n%s", code, out)
	}
	s.kill()
	s = serveConfig(t, dir, plainConfig(admin))
	s.awaitLog(t, "admin listener")
	if out, code := invoke(t, dir, "trace", "-c", "doorstep.toml", "unix"); code != 1 ||
		!strings.Contains(out, "need a Unix socket or a token") || !strings.Contains(out, "hint: write address") {
		t.Errorf("without one: exit %d\n%s", code, out)
	}
}
