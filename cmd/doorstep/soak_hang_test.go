package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/ldap/ldaptest"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestSoakAmongHangs: a directory and a file system hang now and then, each by itself and both, for less and for more
// than it takes to notice, while mail for others comes and the configuration is read again. The others' mail is
// delivered, that for what hangs is deferred in time, and taken as soon as it answers; what the server holds does not
// grow. "make soak" does so for five minutes.
func TestSoakAmongHangs(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smtp-source")
	powercut.Need(t)
	if !powercut.Alone(t) {
		return
	}
	duration := time.Second
	if os.Getenv("DOORSTEP_SOAK") == "long" {
		duration = 5 * time.Minute
	}
	h := newHangs(t)
	h.round(t, 0)
	before := settled(t, h.dir, h.s.cmd.Process.Pid)
	rounds, replies := 0, map[string]int{}
	for end := time.Now().Add(duration); time.Now().Before(end); rounds++ {
		for reply, n := range h.round(t, rounds) {
			replies[reply] += n
		}
	}
	after := settled(t, h.dir, h.s.cmd.Process.Pid)
	t.Logf("%d rounds of 200 messages, in %s: before %+v, after %+v; to what hangs: %v", rounds, duration, before, after,
		replies)
	after.wantNoMoreThan(t, before)
	h.s.signal(t, syscall.SIGTERM)
	if code := h.s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// A hangs is a server with accounts in a directory and on a file system that can be made to hang.
type hangs struct {
	dir    string
	config string
	s      *server
	slapd  *ldaptest.Server
	disk   *powercut.Loopback
}

func newHangs(t *testing.T) *hangs {
	t.Helper()
	h := &hangs{dir: place(t), disk: powercut.NewLoopback(t)}
	homes := map[string]string{"hung@example.org": filepath.Join(h.disk.Dir, "hung")}
	for _, account := range []string{"alice@example.org", "bob@example.org", "carol@dst.example"} {
		homes[account] = filepath.Join(h.dir, "mail", account)
	}
	for _, home := range homes {
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.slapd = ldaptest.Start(t, ldaptest.IRedMail(directorytest.World{Domains: []string{"dst.example"},
		Accounts: []directorytest.Account{{Address: "carol@dst.example", Home: homes["carol@dst.example"]}}}, ""))
	put("password", ldaptest.Password, 0o600)(t, h.dir)
	h.config = strings.Replace(controlled(adminConfig), "mail/{domain}/{local}", "{home}", 1)
	for _, local := range []string{"alice", "bob"} {
		address := fmt.Sprintf("address = %q\n", local+"@example.org")
		h.config = strings.Replace(h.config, address, fmt.Sprintf("%shome = %q\n", address, homes[local+"@example.org"]), 1)
	}
	h.config += fmt.Sprintf(`
[[user]]
address = "hung@example.org"
home = %q

[[directory]]
driver = "ldap"
servers = [%q]
base = %q
schema = "iredmail"
bind_dn = %q
password_file = "password"
cache_ttl = "0s"
negative_ttl = "0s"
timeout = "1s"
`, homes["hung@example.org"], h.slapd.URL, ldaptest.Base, ldaptest.BindDN)
	h.s = serveConfig(t, h.dir, h.config)
	h.s.awaitLog(t, "admin listener")
	return h
}

// round has the directory hang in two rounds of three and the file system in two of three, some for longer than it
// takes until they are known to hang. It returns how often which reply was given for them.
func (h *hangs) round(t *testing.T, n int) map[string]int {
	t.Helper()
	good := startLoad(t, "-L", "-s", "8", "-m", "200", "-l", "4000", "-t", "alice@example.org",
		"unix:"+filepath.Join(h.dir, "lmtp"))
	if n%3 != 1 {
		h.slapd.Freeze()
	}
	if n%3 != 2 {
		h.disk.Stop(t)
	}
	replies := h.send(t, 1+3*(n%2))
	rewrite(t, h.dir, h.config+fmt.Sprintf(
		"\n[log]\nlevel = \"warn\"\n[[user]]\naddress = \"new%d@example.org\"\nhome = \"/nowhere\"\n", n))
	if out, errs, code := doorstep(t, h.dir, "reload", "-c", "doorstep.toml"); code != 0 {
		t.Fatal(out, errs)
	}
	h.slapd.Thaw()
	h.disk.Continue(t)
	good.wait(t)
	peer.Await(t, patience, "mail for what has hung", func() bool {
		again := h.send(t, 1)
		return len(again) == 1 && again["250"] == 2
	})
	alice := filepath.Join(h.dir, "mail", "alice@example.org", "Maildir", "new")
	if got := len(names(t, alice)); got != 200 {
		t.Fatalf("round %d: %d messages, want 200", n, got)
	}
	for _, name := range names(t, alice) {
		if err := os.Remove(filepath.Join(alice, name)); err != nil {
			t.Fatal(err)
		}
	}
	return replies
}

// send sends to both accounts, so many times one after the other, and returns how often which reply came. Each has to
// come within seconds.
func (h *hangs) send(t *testing.T, times int) map[string]int {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	replies := map[string]int{}
	for _, to := range []string{"hung@example.org", "carol@dst.example"} {
		all.Go(func() {
			for range times {
				began := time.Now()
				code := codeFor(t, h.dir, to)
				mu.Lock()
				replies[code]++
				mu.Unlock()
				if took := time.Since(began); took > 20*time.Second || code != "250" && code != "451" {
					t.Errorf("%s: %s after %v", to, code, took)
				}
			}
		})
	}
	all.Wait()
	return replies
}

// codeFor sends a message to one address, and returns the code of what decided it: RCPT or the end of data.
func codeFor(t *testing.T, dir, to string) string {
	t.Helper()
	c, err := client.Dial(t.Context(), "unix:"+filepath.Join(dir, "lmtp"), client.Options{Timeout: patience})
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	r, err := c.Send(t.Context(), client.Message{From: "s@example.com", To: client.To(to),
		Content: strings.NewReader(message("to what hangs"))})
	if err != nil {
		t.Error(err)
		return ""
	}
	return fmt.Sprint(r.Recipients[0].Final.Code)
}
