package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestHints: what a hint tells to do helps against what was found, and makes nothing worse.
func TestHints(t *testing.T) {
	for _, tt := range []struct {
		name     string
		old, new string
		want     string
		never    string
	}{
		{"an alias for an address elsewhere", "[store]",
			"[[alias]]\naddress = \"team@example.org\"\nto = [\"x@gmail.com\"]\n[store]", "forward this in the MTA",
			"[[domain]]"},
		{"a catch-all elsewhere", domainTable, domainTable + "\ncatch_all = \"x@gmail.com\"", "forward this in the MTA",
			"[[domain]]"},
		{"a misspelled domain of an alias", "[store]",
			"[[alias]]\naddress = \"team@example.org\"\nto = [\"bob@exmaple.org\"]\n[store]", "did you mean example.org?",
			"forward"},
		{"an account of another domain", `"bob@example.org"`, `"bob@example.net.invalid"`, "write [[domain]]", "forward"},
		{"a file for the log", "[store]", "[log]\nfile = \"/var/log/doorstep.log\"\n[store]", "standard error", "belongs"},
		{"the path of a log", "[store]", "[log]\npath = \"/var/log/doorstep.log\"\n[store]", "standard error", "belongs"},
		{"a user of the limits", "[store]", "[limits]\nuser = \"doorstep\"\n[store]",
			"doorstep config default shows the keys of [limits]", "belongs"},
		{"a mode of the store", "[store]", "[store]\nmode = \"0600\"", "config default", "belongs"},
		{"a path of the control socket", "[store]", "[control]\npath = \"control\"\n[store]", "[control] takes socket",
			"belongs"},
		{"a key of one other table", "[store]", "[store]\nmessage_size = \"50MiB\"", "it belongs to [limits]", ""},
		{"a key before all tables", "hostname =", "durability = \"group\"\nhostname =", "it belongs to [store]", ""},
		{"no key of any", "hostname =", "zzzzzz = 1\nhostname =", "config default shows all keys", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := place(t)
			configuration := plainConfig("")
			if !strings.Contains(configuration, tt.old) {
				t.Fatalf("nothing to replace: %q", tt.old)
			}
			rewrite(t, dir, strings.Replace(configuration, tt.old, tt.new, 1))
			_, errs, _ := doorstep(t, dir, "check", "-c", "doorstep.toml")
			if !strings.Contains(errs, tt.want) || tt.never != "" && strings.Contains(errs, tt.never) {
				t.Errorf("want %q, never %q, in\n%s", tt.want, tt.never, errs)
			}
		})
	}
}

// TestUnreadableConfiguration: a configuration that is there is not to be made anew.
func TestUnreadableConfiguration(t *testing.T) {
	dir := place(t)
	rewrite(t, dir, plainConfig(""))
	for _, verb := range [][]string{{"check"}, {"lookup", "alice@example.org"}, {"serve"}, {"mailbox", "list"},
		{"config", "show"}} {
		ask := func(file string) string {
			_, errs, code := doorstep(t, dir, append(verb, "-c", file)...)
			if code != cli.ExitUsage {
				t.Errorf("%q: exit status %d: %s", verb, code, errs)
			}
			return errs
		}
		if said := ask("mail"); !strings.Contains(said, "mail/doorstep.toml") || strings.Contains(said, "config default") {
			t.Errorf("%q of a directory: %s", verb, said)
		}
		if said := ask("nothing.toml"); !strings.Contains(said, "config default") {
			t.Errorf("%q of nothing: %s", verb, said)
		}
		if err := os.Symlink("loop.toml", filepath.Join(dir, "loop.toml")); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		if said := ask("loop.toml"); strings.Contains(said, "config default") {
			t.Errorf("%q of a loop: %s", verb, said)
		}
	}
	if hint := cli.Unreadable("x.toml", os.ErrPermission); strings.Contains(hint, "config default") ||
		!strings.Contains(hint, "who runs the server") {
		t.Error(hint)
	}
}

// TestNewHome: the home of an account that has had no mail yet is made, with the directory of its domain, and lookup
// says beforehand what will come of it.
func TestNewHome(t *testing.T) {
	for home, reply := range map[string]string{
		"mail/bob": "250", "mail/example.org/bob": "250", "lost/bob": "451 4.2.0", "mail/lost/bob": "451 4.2.0",
		"mail/file": "451",
	} {
		t.Run(home, func(t *testing.T) {
			dir := place(t)
			if err := os.WriteFile(filepath.Join(dir, "mail/file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			configuration := strings.Replace(plainConfig(""), `"mail/{domain}/{local}/Maildir"`, `"{home}/Maildir"`, 1)
			for user, home := range map[string]string{"alice": "mail/alice", "bob": home} {
				address := `address = "` + user + `@example.org"`
				configuration = strings.Replace(configuration, address, address+"\nhome = \""+filepath.Join(dir, home)+`"`, 1)
			}
			serveConfig(t, dir, configuration)
			out, errs, _ := doorstep(t, dir, "lookup", "-c", "doorstep.toml", "bob@example.org")
			if !strings.Contains(out+errs, reply) {
				t.Errorf("lookup: %s%s, want %s", out, errs, reply)
			}
			c := session(t, dir)
			c.say("MAIL FROM:<a@src.example>", "250 2.1.0")
			c.say("RCPT TO:<bob@example.org>", "250")
			c.say("DATA", "354")
			c.say(message("x")+".", reply)
			c.say("QUIT", "221")
			files, err := filepath.Glob(filepath.Join(dir, home, "Maildir/new/*"))
			if err != nil || (len(files) == 1) != (reply == "250") {
				t.Errorf("%d messages in %s, %v", len(files), home, err)
			}
		})
	}
}

// TestMissingHome: that one account has no home is not said of the whole store.
func TestMissingHome(t *testing.T) {
	dir := place(t)
	configuration := strings.Replace(plainConfig(""), `"mail/{domain}/{local}/Maildir"`, `"{home}/Maildir"`, 1)
	for _, user := range []string{"alice", "bob"} {
		address := `address = "` + user + `@example.org"`
		configuration = strings.Replace(configuration, address, address+"\nhome = \""+filepath.Join(dir, "lost", user)+`"`, 1)
	}
	s := serveConfig(t, dir, configuration)
	c := session(t, dir)
	c.say("MAIL FROM:<a@src.example>", "250 2.1.0")
	c.say("RCPT TO:<bob@example.org>", "250")
	c.say("DATA", "354")
	c.say(message("x")+".", "451 4.2.0")
	c.say("QUIT", "221")
	if said := s.log.String(); strings.Contains(said, "store is not available") ||
		!strings.Contains(said, "its home directory does not exist") {
		t.Error(said)
	}
}

// TestCheckKnowsEximsRoom: check warns of an answer to LHLO that is too long for Exim's lmtp transport, where that may
// be the peer. The length of a name, and of what more is offered, are those of docs/smtputf8.md.
func TestCheckKnowsEximsRoom(t *testing.T) {
	fits := strings.Repeat("x.", 48) + "example"
	if len(fits) != 103 {
		t.Fatal(len(fits))
	}
	for _, tt := range []struct{ name, hostname, listen, more, want string }{
		{name: "a name that fits", hostname: fits},
		{name: "one that does not", hostname: fits + "s", want: ", 1 more than Exim's lmtp transport"},
		{name: "BINARYMIME", hostname: fits, more: "store.newline = \"crlf\"", want: ", 17 more than"},
		{name: "RRVS", hostname: fits, more: "user = [{ address = \"c@example.org\", owner_since = 2014-04-03 }]",
			want: ", 11 more than"},
		{name: "MT-PRIORITY", hostname: fits, listen: "mt_priority = true", want: ", 18 more than"},
		{name: "MAILMAX", hostname: fits, more: "limits.transactions = 5", want: ", 10 more than"},
		{name: "EXTERNAL", hostname: fits, listen: "auth = [\"EXTERNAL\"]", want: ", 20 more than"},
		{name: "trusted", hostname: "h.example", listen: "trusted = [\"mail\"]", want: "leave Exim out of trusted"},
		{name: "trusted Postfix", hostname: "h.example", listen: "trusted = [\"postfix\"]"},
		{name: "for Postfix alone", hostname: fits + "s", listen: "peers = [\"postfix\"]"},
		{name: "ESMTP", hostname: fits + "s", listen: "protocol = \"esmtp\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := place(t)
			text := strings.NewReplacer("mail.example.org", tt.hostname, `"unix:lmtp"`, "\"unix:lmtp\"\n"+tt.listen).
				Replace(plainConfig(""))
			rewrite(t, dir, text)
			if tt.more != "" {
				part := filepath.Join(dir, "conf.d")
				if err := errors.Join(os.Mkdir(part, 0o700),
					os.WriteFile(filepath.Join(part, "more.toml"), []byte(tt.more+"\n"), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			_, errs, code := doorstep(t, dir, "check", "-c", "doorstep.toml")
			warned := strings.Contains(errs, "Exim")
			if code != 0 || warned != (tt.want != "") || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, want %q in\n%s", code, tt.want, errs)
			}
			if warned && !strings.HasPrefix(errs, "doorstep.toml:4:") {
				t.Errorf("not at the address: %s", errs)
			}
		})
	}
}

// TestWithoutProc: in a chroot without /proc the server says what is missing, with a Unix socket and with a user.
func TestWithoutProc(t *testing.T) {
	needRoot(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	for name, configuration := range map[string]string{
		"socket": plainConfig(""),
		"user": strings.NewReplacer("unix:lmtp", "tcp:127.0.0.1:"+peer.FreePort(t), "[store]", "[store]\nuser = \"mail\"").
			Replace(plainConfig("[control]\nsocket = \"\"")),
	} {
		t.Run(name, func(t *testing.T) {
			dir := place(t)
			put("doorstep.toml", configuration, 0o644)(t, dir)
			cmd := exec.Command("unshare", "--mount", "sh", "-c", `umount -l /proc && exec "$@"`, "sh", program, "serve")
			cmd.Args = append(cmd.Args, "-c", "doorstep.toml")
			cmd.Dir = dir
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "/proc is not mounted\nhint: mount /proc here") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
