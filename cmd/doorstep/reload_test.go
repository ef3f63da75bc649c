package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
)

// doorstep runs a verb in a server's directory.
func doorstep(tb testing.TB, dir string, args ...string) (stdout, stderr string, code int) {
	tb.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("doorstep", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		tb.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// controlled is plainConfig with a control socket.
func controlled(more string) string {
	return plainConfig(more) + "\n[control]\nsocket = \"control\"\n"
}

func rewrite(tb testing.TB, dir, configuration string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// TestReload changes the configuration of a running server: the next session has it, an open one
// keeps the one it began with, whole, and a file that is wrong changes nothing.
func TestReload(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, controlled(""))
	before := session(t, dir)
	before.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	before.say("RCPT TO:<newcomer@example.org>", "550 5.1.1")

	after := strings.Replace(controlled("[limits]\nmessage_size = \"1MiB\""), `hostname = "mail.example.org"`,
		`hostname = "mx.example.org"`, 1)
	after = strings.Replace(after, "[store]\n", "[store]\nnewline = \"crlf\"\n", 1)
	after = strings.Replace(after, "address = \"bob@example.org\"",
		"address = \"bob@example.org\"\nowner_since = \"2014-04-03\"", 1)
	after += "\n[log]\nlevel = \"debug\"\n[[user]]\naddress = \"newcomer@example.org\"\n"
	rewrite(t, dir, after)
	out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml")
	want := `reloaded:
  hostname
  limits.message_size
  log.level
  store.newline
  user "bob@example.org".owner_since
  user "newcomer@example.org" (new)
`
	if out != want || errs != "" || code != 0 {
		t.Errorf("reload said %q, %q, exit status %d", out, errs, code)
	}

	before.say("RSET", "250 2.0.0")
	before.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	before.say("RCPT TO:<newcomer@example.org>", "550 5.1.1")
	before.say("RSET", "250 2.0.0")
	before.deliver("of the session before", "bob")
	fresh := dial(t, dir)
	fresh.want("220 mx.example.org ")
	fresh.say("LHLO client.example", "250-mx.example.org")
	fresh.deliver("after the reload", "newcomer")
	for subject, ends := range map[string]string{"of the session before": "\n", "after the reload": "\r\n"} {
		for _, text := range append(texts(t, dir, "bob"), texts(t, dir, "newcomer")...) {
			if crlf := strings.Contains(text, "\r\n"); strings.Contains(text, subject) && crlf != (ends == "\r\n") {
				t.Errorf("stored with other line ends than the session began with: %q", text)
			}
		}
	}
	session(t, dir).say("MAIL FROM:<a@src.example> SIZE=2000000", "552 5.3.4")
	before.say("MAIL FROM:<a@src.example> SIZE=2000000", "250 2.1.0")

	rewrite(t, dir, after+"\n[[user]]\nadress = \"wrong@example.org\"\n[[domain]]\n")
	out, errs, code = doorstep(t, dir, "reload", "-c", "doorstep.toml")
	for _, want := range []string{"user[3].adress: unknown key", "domain[1]: name is missing"} {
		if !strings.Contains(out, want) {
			t.Errorf("reload does not say %q: %q", want, out)
		}
	}
	if !strings.Contains(errs, "the old configuration stays in force") || !strings.Contains(errs, "hint: ") ||
		code != cli.ExitUsage {
		t.Errorf("reload of a wrong file said %q, exit status %d", errs, code)
	}
	fresh.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	fresh.say("RCPT TO:<newcomer@example.org>", "250 2.1.5")
	session(t, dir).deliver("after the mistake", "alice")

	// The signal does the same, and the log tells.
	rewrite(t, dir, strings.Replace(after, "unix:lmtp\"", "unix:lmtp2\"\nmode = \"0600\"", 1))
	s.signal(t, syscall.SIGHUP)
	s.awaitLog(t, `counts after a restart" keys="[listen \"unix:lmtp\" (gone) listen \"unix:lmtp2\" (new)]"`)
	session(t, dir).deliver("by the door that is no longer in the file", "alice")

	rewrite(t, dir, after)
	out, _, code = doorstep(t, dir, "reload", "-c", "doorstep.toml", "--json")
	var r daemon.ReloadReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || len(r.Restart) != 0 || len(r.Changed) != 0 {
		t.Errorf("%q, %v, exit status %d", out, err, code)
	}
	session(t, dir).deliver("back again", "newcomer")

	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	wantGone(t, filepath.Join(dir, "lmtp"))
	wantGone(t, filepath.Join(dir, "control"))
}

// texts returns the messages in an account, whatever their line ends.
func texts(tb testing.TB, dir, local string) (list []string) {
	tb.Helper()
	for _, name := range names(tb, filepath.Join(maildir(dir, local), "new")) {
		text, err := os.ReadFile(filepath.Join(maildir(dir, local), "new", name))
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, string(text))
	}
	return list
}

// TestReloadChangesLimits: connections of sessions before a reload count under the limits after it.
func TestReloadChangesLimits(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, controlled("[limits]\nconnections = 5"))
	first := session(t, dir)
	session(t, dir)
	rewrite(t, dir, controlled("[limits]\nconnections = 3"))
	if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
		t.Fatal(out, errs)
	}
	session(t, dir)
	fourth := dial(t, dir)
	fourth.want("421 4.3.2 ")
	fourth.wantEnd()
	first.say("QUIT", "221 2.0.0")
	first.wantEnd()
	session(t, dir).deliver("there is room again", "alice")
}

// TestReloadNeedsAServer: without one, the verb says what to do.
func TestReloadNeedsAServer(t *testing.T) {
	dir := place(t)
	rewrite(t, dir, controlled(""))
	for _, verb := range []string{"reload", "upgrade"} {
		_, errs, code := doorstep(t, dir, verb, "-c", "doorstep.toml")
		if code != cli.ExitFailure || !strings.Contains(errs, verb+": no server answers") ||
			!strings.Contains(errs, "hint: ") {
			t.Errorf("%q, exit status %d", errs, code)
		}
	}
}

// TestIdleSessionsLetGo: clients that stay connected over many reloads keep no more than two earlier configurations in
// memory. Those that are idle are asked to connect again, and what is in a message is finished.
func TestIdleSessionsLetGo(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, controlled(""))
	busy := session(t, dir)
	busy.begin("alice")
	busy.send("Subject: over three reloads\r\n\r\nHello\r\n")
	var idle []*dialogue
	for range 3 {
		idle = append(idle, session(t, dir))
		if _, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
			t.Fatal(errs)
		}
	}
	idle[0].want("421 4.3.2 ")
	idle[0].wantEnd()
	busy.send(lastLine + "\r\n.\r\n")
	busy.want("250 2.0.0 ")
	busy.want("421 4.3.2 ")
	busy.wantEnd()
	for _, kept := range idle[1:] {
		kept.deliver("two reloads are nothing", "bob")
	}
	session(t, dir).deliver("connected again", "alice")
	wantStored(t, dir, "alice", "over three reloads", "connected again")
}
