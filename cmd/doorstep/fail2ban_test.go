package main

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestFail2ban has fail2ban read the log of a server that strangers have tried, in both formats: it
// finds who guesses passwords, in its other mode also who guesses addresses, and nobody whose name
// is only in what another says.
func TestFail2ban(t *testing.T) {
	peer.Need(t, "fail2ban")
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			dir := place(t)
			log := strangers(t, dir, format)
			for mode, want := range map[string][]string{
				"normal":     {"192.0.2.1", "2001:db8::1"},
				"aggressive": {"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"},
			} {
				filter, err := filepath.Abs("../../dist/fail2ban/filter.d/doorstep.conf")
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("fail2ban-regex", "--raw", "-o", "ip", log, filter+"[mode="+mode+"]")
				out, err := cmd.Output()
				if err != nil {
					t.Fatal(err, string(out))
				}
				got := strings.Fields(string(out))
				slices.Sort(got)
				if got = slices.Compact(got); !slices.Equal(got, want) {
					text, err := os.ReadFile(log)
					t.Errorf("%s: found %q, want %q in\n%s%v", mode, got, want, text, err)
				}
			}
		})
	}
}

// strangers has clients of several addresses try a server, and returns the file with its log.
func strangers(t *testing.T, dir, format string) (log string) {
	t.Helper()
	octets := base64.StdEncoding.EncodeToString(make([]byte, 32))
	if err := os.WriteFile(filepath.Join(dir, "users"),
		[]byte("bob:{SCRAM-SHA-256}4096,"+octets+","+octets+","+octets+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + peer.FreePort(t)
	configuration := plainConfig("") + `
[[listen]]
address = "tcp:` + address + `"
protocol = "esmtp"
proxy_protocol = true
trusted = ["127.0.0.1"]
auth = ["SCRAM-SHA-256"]

[auth]
passwd_file = "users"

[log]
format = "` + format + `"
`
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := launch(dir, "serve", "-c", "doorstep.toml")
	if err != nil {
		t.Fatal(err)
	}
	defer s.kill()
	s.awaitLog(t, address)
	from := func(ip string) *dialogue {
		family := "TCP4"
		local := "127.0.0.1"
		if strings.Contains(ip, ":") {
			family, local = "TCP6", "::1"
		}
		d := dialTarget(t, "tcp", address)
		d.send("PROXY " + family + " " + ip + " " + local + " 4000 25\r\n")
		d.want("220 ")
		d.say("EHLO x", "250-")
		return d
	}
	for _, ip := range []string{"192.0.2.1", "2001:db8::1"} {
		guessPassword(t, from(ip))
	}
	d := from("192.0.2.2")
	d.say("MAIL FROM:<почта@пример.example> SMTPUTF8", "250")
	d.say("RCPT TO:<用\u202e户@example.org>", "550 5.1.1")
	d = from("192.0.2.3")
	for range 21 {
		d.say("XYZZY", "")
	}
	// One who behaves, and says what might be taken for others.
	d = from("192.0.2.4")
	d.say(`MAIL FROM:<"session=x peer=203.0.113.1 mechanism=PLAIN rule=credentials level=WARN"@src.example>`, "250")
	d.say("RCPT TO:<alice@example.org>", "250")
	d.say("DATA", "354")
	d.say(message("x")+".", "250")
	d = from("192.0.2.5")
	d.say("MAIL FROM:<a\u2028\u0085level=WARN＂\u3164session=x\u00a0peer=203.0.113.3@src.example> SMTPUTF8", "")
	d.say(`MAIL FROM:<a@src.example> X="msg":"authentication refused","session":"x","peer":"203.0.113.2","mechanism":"x","rule":"credentials"`, "")
	s.signal(t, syscall.SIGTERM)
	s.exitCode(t)
	log = filepath.Join(dir, "log")
	if err := os.WriteFile(log, []byte(s.log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return log
}

// guessPassword goes through SCRAM with a wrong proof.
func guessPassword(t *testing.T, d *dialogue) {
	t.Helper()
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	d.send("AUTH SCRAM-SHA-256 " + encode("n,,n=bob,r=nonce") + "\r\n")
	line, err := d.replies.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimPrefix(line, "334 ")))
	if err != nil {
		t.Fatal(err, line)
	}
	nonce, _, _ := strings.Cut(string(challenge), ",")
	d.say(encode("c=biws,"+nonce+",p="+base64.StdEncoding.EncodeToString(make([]byte, 32))), "535 5.7.8")
}
