package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
)

// TestAddressesAreReadable: an internationalized address is shown as people write it, wherever it is shown, however it
// came; and what is shown can be given to lookup.
func TestAddressesAreReadable(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			dir := place(t)
			rewrite(t, dir, plainConfig(adminConfig)+"[[domain]]\nname = \"xn--r8jz45g.example\"\n[[user]]\naddress = "+
				"\"用户@xn--r8jz45g.example\"\n[log]\nformat = \""+format+"\"\n")
			s, err := launch(dir, "serve", "-c", "doorstep.toml")
			if err != nil {
				t.Fatal(err)
			}
			defer s.kill()
			s.awaitLog(t, "admin listener")
			p, err := launch(dir, "trace", "-c", "doorstep.toml", "用户@例え.example")
			if err != nil {
				t.Fatal(err)
			}
			defer p.kill()
			p.awaitLog(t, "watching")
			c := session(t, dir)
			c.say("MAIL FROM:<почта@xn--e1afmkfd.example> SMTPUTF8", "250")
			c.say("RCPT TO:<用户@xn--r8jz45g.example>", "250")
			c.say("RCPT TO:<用\u202e户@例え.example>", "550")
			c.say("RCPT TO:<\"a\u200b b\"@例え.example>", "550")
			c.say("RCPT TO:<\u3164josé@xn--r8jz45g.example>", "550")
			c.say("DATA", "354")
			c.say(message("x")+".", "250 2.0.0")
			c.say("QUIT", "221")
			for _, want := range []string{`to 用\x{202e}户@例え.example: rule account`,
				"to 用户@例え.example, mailbox 用户@例え.example: delivered, after", "session ends"} {
				if err := p.out.await(want); err != nil {
					t.Fatal(err)
				}
			}
			traced := p.out.String()
			status, _, _ := doorstep(t, dir, "status", "-c", "doorstep.toml")
			statusJSON, _, _ := doorstep(t, dir, "status", "-c", "doorstep.toml", "--json")
			list, _, _ := doorstep(t, dir, "mailbox", "list", "-c", "doorstep.toml")
			listJSON, _, _ := doorstep(t, dir, "mailbox", "list", "-c", "doorstep.toml", "--json")
			_, page := ask(t, dir, "/")
			s.signal(t, syscall.SIGTERM)
			s.exitCode(t)
			log := s.log.String()
			for name, text := range map[string]string{"trace": traced, "status": status, "status --json": statusJSON,
				"the page": page, "the log": log, "mailbox list": list, "mailbox list --json": listJSON} {
				if !strings.Contains(text, "用户@例え.example") {
					t.Errorf("%s does not name the mailbox as people do:\n%s", name, text)
				}
				if strings.ContainsAny(text, "\u202e\u200b\u3164") {
					t.Errorf("%s hides something: %+q", name, text)
				}
				if regexp.MustCompile(`\\x\{b5\}|\\x\{5c\}`).MatchString(text) {
					t.Errorf("%s escapes what needs none, or twice:\n%s", name, text)
				}
			}
			if !strings.Contains(log, "почта@пример.example") {
				t.Errorf("the sender is not readable in\n%s", log)
			}
			checkPasted(t, dir, log, status)
		})
	}
}

// checkPasted pastes what was printed of addresses into lookup, as it was printed.
func checkPasted(t *testing.T, dir string, printed ...string) {
	t.Helper()
	seen := map[string]bool{}
	address := regexp.MustCompile(`\bto=("(?:[^"\\]|\\.)*"|\S+)|"to":("(?:[^"\\]|\\.)*")|  (\S+@\S+|"a\S+ b"@\S+)  no such`)
	for _, text := range printed {
		for _, m := range address.FindAllStringSubmatch(text, -1) {
			seen[m[1]+m[2]+m[3]] = true
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %v was printed", seen)
	}
	for pasted := range seen {
		out, errs, _ := doorstep(t, dir, "lookup", "-c", "doorstep.toml", pasted)
		want := "550 5.1.1"
		if strings.Trim(pasted, `"`) == "用户@例え.example" {
			want = "250 2.1.5"
		}
		if !strings.Contains(out, "= "+want) {
			t.Errorf("lookup %s: want %s\n%s%s", pasted, want, out, errs)
		}
	}
}

// TestManagedAddressesAreReadable: the verbs of a database show addresses as people write them, and take what
// they show.
func TestManagedAddressesAreReadable(t *testing.T) {
	dir := place(t)
	rewrite(t, dir, plainConfig("")+"\n[[directory]]\ndriver = \"sqlite\"\nfile = \""+filepath.Join(dir, "a.db")+"\"\n")
	do := func(want string, args ...string) {
		t.Helper()
		out, errs, code := doorstep(t, dir, append(args, "-c", "doorstep.toml")...)
		if code != cli.ExitOK || !strings.Contains(out, want) || strings.Contains(out, "xn--") {
			t.Errorf("%q: %d %s%s, want %q", args, code, out, errs, want)
		}
	}
	do("", "domain", "add", "例え.example")
	do("", "user", "add", "用户@xn--r8jz45g.example")
	do("用户@例え.example", "user", "list")
	do(`"用户@例え.example"`, "user", "list", "--json")
	do("", "alias", "add", "почта@xn--r8jz45g.example", "用户@xn--r8jz45g.example")
	do("почта@例え.example  → 用户@例え.example", "alias", "list")
	do(`"用户@例え.example"`, "alias", "list", "--json")
	do("", "user", "set", `\x{7528}\x{6237}@xn--r8jz45g.example`, "--quota", "1GiB")
	do("", "alias", "del", `"почта@例え.example"`)
	do("", "user", "del", `用\x{6237}@例え.example`)
	if out, _, _ := doorstep(t, dir, "user", "list", "-c", "doorstep.toml"); out != "" {
		t.Error(out)
	}
	if err := os.Remove(filepath.Join(dir, "a.db")); err != nil {
		t.Fatal(err)
	}
}
