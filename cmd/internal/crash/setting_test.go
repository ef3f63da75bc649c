package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// A setting is a choice of the administrator under which the server is killed and the power fails.
type setting struct {
	name      string
	store     string // keys of [store]
	owners    bool   // each account has a user of its own, one of a few; takes root
	quotas    bool
	reports   bool               // senders ask for reports, and an MTA takes them
	disk      *powercut.Loopback // has the mail, and the accounts in a file; it hangs now and then
	recognize func(file string, user int) (messageID, bool)
}

var (
	plain    = setting{name: "plain", recognize: recognize}
	settings = []setting{
		plain,
		{name: "owners", store: "user = \"mail\"\nowners = true", owners: true, recognize: recognize},
		{name: "single copy", store: "single_copy = true", recognize: recognizeShared},
		{name: "quotas", quotas: true, recognize: recognize},
		{name: "reports", reports: true, recognize: recognize},
	}
)

// need skips the test where it cannot be.
func (set setting) need(t *testing.T) {
	t.Helper()
	if set.owners && os.Geteuid() != 0 {
		t.Skip("needs root, to deliver as other users")
	}
}

// owner is the user to whom an account's mailbox belongs, and nobody else on this machine.
func owner(user int) int { return 20_001 + user%16 }

// open makes a place for a server whose mail is in store, which is made.
func (set setting) open(t *testing.T, store string) *site {
	t.Helper()
	makeStore(t, store)
	path := store + "/{local}/Maildir"
	if set.owners {
		path = "{home}/Maildir"
		set.makeHomes(t, store)
	}
	s := configure(t, store, path, set.store, set.account(store))
	s.setting = set
	if set.disk != nil {
		s.moveAccounts(t, filepath.Join(set.disk.Dir, "accounts"))
	}
	if set.reports {
		s.openDesk(t)
	}
	return s
}

// dir makes a directory for the store.
func (set setting) dir(t *testing.T) string {
	if set.disk != nil {
		return set.disk.Dir
	}
	return ownDir(t)
}

// moveAccounts moves the accounts from the configuration into a passwd-file that is asked for each recipient.
func (s *site) moveAccounts(t *testing.T, file string) {
	t.Helper()
	configuration := filepath.Join(s.dir, "doorstep.toml")
	text, err := os.ReadFile(configuration)
	if err != nil {
		t.Fatal(err)
	}
	rest, accounts := string(text), ""
	for user := range users {
		rest = strings.Replace(rest, fmt.Sprintf("[[user]]\naddress = %q\n", address(user)), "", 1)
		accounts += address(user) + ":::::::\n"
	}
	rest += fmt.Sprintf("[[directory]]\ndriver = \"passwd-file\"\nfile = %q\n", file)
	if err := errors.Join(os.WriteFile(file, []byte(accounts), 0o644),
		os.WriteFile(configuration, []byte(rest), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// hangNowAndThen has the file system of the setting, if there is one, hang for moments until the end is called.
func (set setting) hangNowAndThen(t *testing.T) (end func()) {
	if set.disk == nil {
		return func() {}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	pass := func(upTo time.Duration) {
		select {
		case <-over:
		case <-time.After(rand.N(upTo)):
		}
	}
	go func() {
		defer close(ended)
		for !closed(over) {
			pass(200 * time.Millisecond)
			set.disk.Stop(t)
			if long && rand.IntN(20) == 0 {
				pass(20 * time.Second)
			} else {
				pass(200 * time.Millisecond)
			}
			set.disk.Continue(t)
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

// account returns the lines of an account.
func (set setting) account(store string) func(user int) string {
	return func(user int) (lines string) {
		if set.owners {
			lines += fmt.Sprintf("home = %q\nuid = %d\ngid = %d\n", filepath.Join(store, local(user)), owner(user), owner(user))
		}
		if set.quotas {
			lines += fmt.Sprintf("quota_messages = %d\n", quota(user))
		}
		return lines
	}
}

// quota is how many messages a mailbox may hold: every third soon is full.
func quota(user int) int {
	if user%3 == 1 {
		return 2
	}
	return 100_000
}

// makeHomes makes the homes of owners, durably: they are the administrator's to be there.
func (set setting) makeHomes(t *testing.T, store string) {
	t.Helper()
	err := os.Chmod(store, 0o711)
	for user := range users {
		home := filepath.Join(store, local(user))
		err = errors.Join(err, os.Mkdir(home, 0o700), os.Chown(home, owner(user), owner(user)))
	}
	dir, cannot := os.Open(store)
	if cannot == nil {
		cannot = errors.Join(unix.Syncfs(int(dir.Fd())), dir.Close())
	}
	if err := errors.Join(err, cannot); err != nil {
		t.Fatal(err)
	}
}

// checkQuotas fills mailboxes by what a crash has left in maildirsize: each message that fits is
// taken, a count finds what is there, and one more is refused. The server runs.
func (s *site) checkQuotas(t *testing.T) {
	t.Helper()
	if !s.setting.quotas {
		return
	}
	filled := 0
	for user := range users {
		held := len(stored(t, s.store, user))
		if held == 0 || quota(user) > 10 {
			continue
		}
		for n := held; n < quota(user); n++ {
			filled++
			if codes := one(t, s, messageID{-2, n}, user); codes[0] != 250 {
				t.Errorf("MDIR-13: a message for %s, which holds %d of %d: %d", local(user), held, quota(user), codes[0])
			}
		}
	}
	for user, counted := range s.recount(t) {
		if held := len(stored(t, s.store, user)); counted != held {
			t.Errorf("MDIR-13: %s holds %d messages, and %d are counted", local(user), held, counted)
		}
		if counted < quota(user) || quota(user) > 10 {
			continue
		}
		if codes := one(t, s, messageID{-3, 0}, user); codes[0] != 452 {
			t.Errorf("a message for %s, which is full: %d", local(user), codes[0])
		}
	}
	t.Logf("with the quotas left behind %d messages that fit", filled)
}

// recount has the messages counted in each mailbox that is there.
func (s *site) recount(t *testing.T) map[int]int {
	t.Helper()
	cmd := exec.Command(os.Getenv(program), "mailbox", "quota", "--recount", "--json", "-c", "doorstep.toml")
	cmd.Dir = s.dir
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser}}
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var list []struct {
		Account string
		Exists  bool
		Used    struct{ Messages int }
	}
	if err = errors.Join(err, json.Unmarshal(out, &list)); err != nil || len(list) != users {
		t.Fatalf("recount: %v, %d mailboxes\n%s", err, len(list), errs.String())
	}
	counted := map[int]int{}
	for _, box := range list {
		var user int
		if _, err := fmt.Sscanf(box.Account, "u%03d", &user); err != nil {
			t.Fatalf("%q: %v", box.Account, err)
		}
		if box.Exists {
			counted[user] = box.Used.Messages
		}
	}
	return counted
}

// recognizeShared is recognize for a setting in which a copy for several has no Delivered-To.
func recognizeShared(file string, user int) (messageID, bool) {
	trace, _, _ := strings.Cut(file, head)
	if strings.Contains(trace, "Delivered-To") {
		return recognize(file, user)
	}
	return recognizeBehind(file, "Return-Path: <s@example.com>", "Received: from ")
}
