package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// Users whom the machine need not know.
const (
	aliceID = 20_001
	bobID   = 20_002
	carolID = 20_003
)

// ownersConfig has homes of several users below ./homes, and the lines of a passwd-file in ./users.
const ownersConfig = `hostname = "mail.example.org"
postmaster = "alice@example.org"

[[listen]]
address = "unix:lmtp"
mode = "0666"

[control]
socket = "control"

[store]
path = "{home}/Maildir"
user = "mail"
owners = true
first_valid_uid = 1000
first_valid_gid = 100

[[domain]]
name = "example.org"

[[user]]
address = "alice@example.org"
home = "homes/alice"
uid = 20001
gid = 20001

[[user]]
address = "bob@example.org"
home = "homes/bob"
uid = 20002
gid = 20002

[[user]]
address = "virtual@example.org"
home = "homes/virtual"

[[directory]]
driver = "passwd-file"
file = "users"
default_domain = "example.org"
`

// ownersPlace makes the homes.
func ownersPlace(t *testing.T) (dir string) {
	t.Helper()
	needRoot(t)
	dir = peer.Dir(t)
	for name, id := range map[string]int{"alice": aliceID, "bob": bobID, "carol": carolID, "virtual": peer.MailUser} {
		home := filepath.Join(dir, "homes", name)
		if err := errors.Join(os.MkdirAll(home, 0o711), os.Chmod(filepath.Dir(home), 0o711), os.Chmod(home, 0o700),
			os.Chown(home, id, id)); err != nil {
			t.Fatal(err)
		}
	}
	users := strings.ReplaceAll(`carol:x:20003:20003::HOMES/carol:
root:x:0:0::HOMES/root:
daemon:x:1:1::HOMES/daemon:
groupie:x:20003:99::HOMES/carol:
escaped:x:20003:20003::HOMES/carol::userdb_mail_path=HOMES/alice/Maildir
`, "HOMES", filepath.Join(dir, "homes"))
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte(users), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// staticDoorstep builds the program as people have it, without cgo: with it not all threads can be
// given what is a thread's.
var staticDoorstep = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "doorstep-static-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "doorstep")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	return program, errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "log"), out, 0o644))
})

// serveStatic is serveConfig with that program, started by another one where that is given.
func serveStatic(t *testing.T, dir, configuration string, by ...string) *server {
	t.Helper()
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	args := append(by, program, "serve", "-c", "doorstep.toml")
	s := &server{dir: dir, cmd: exec.Command(args[0], args[1:]...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("log of doorstep serve:\n%.20000s", s.log.String())
		}
	})
	s.awaitLog(t, "msg=listening")
	return s
}

// threads returns a line of /proc/PID/task/*/status, of each thread.
func threads(t *testing.T, pid int, field string) (lines []string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal("no threads:", err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, field+":"); ok {
				lines = append(lines, strings.Join(strings.Fields(rest), " "))
			}
		}
	}
	return lines
}

// wantThreads wants a line of every thread to be the same.
func wantThreads(t *testing.T, pid int, want map[string]string) {
	t.Helper()
	for field, want := range want {
		for _, line := range threads(t, pid, field) {
			if line != want {
				t.Errorf("a thread has %s %q, want %q", field, line, want)
			}
		}
	}
}

// wantOwner wants all that is below a directory to be a user's, and nobody else's to read.
func wantOwner(t *testing.T, dir string, id int) {
	t.Helper()
	found := 0
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		found++
		if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != id || int(st.Gid) != id || info.Mode()&0o077 != 0 {
			t.Errorf("%s: %d:%d %v, want %d", path, st.Uid, st.Gid, info.Mode(), id)
		}
		return nil
	})
	if err != nil || found < 5 {
		t.Errorf("%s: %d files and directories, %v", dir, found, err)
	}
}

// messages lists the messages in a home's Maildir.
func messages(t *testing.T, dir, home string) []string {
	t.Helper()
	return names(t, filepath.Join(dir, "homes", home, "Maildir", "new"))
}

// TestRunsAsUser: what root has started is nobody's but the user's before it takes mail.
func TestRunsAsUser(t *testing.T) {
	needRoot(t)
	dir := place(t)
	if err := os.Chown(filepath.Join(dir, "mail"), peer.MailUser, peer.MailUser); err != nil {
		t.Fatal(err)
	}
	configuration := strings.Replace(controlled(""), "[store]\n", "[store]\nuser = \"mail\"\n", 1)
	s := serveConfig(t, dir, configuration)
	if log := s.log.String(); !strings.Contains(log, "msg=running uid=8 gid=8") ||
		strings.Contains(log, "running as root") {
		t.Errorf("log: %s", log)
	}
	wantThreads(t, s.cmd.Process.Pid, map[string]string{
		"Uid": "8 8 8 8", "Gid": "8 8 8 8", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "NoNewPrivs": "1",
		"Seccomp": "2",
	})
	session(t, dir).deliver("as mail", "alice")
	wantStored(t, dir, "alice", "as mail")
	wantOwner(t, filepath.Join(dir, "mail", "example.org"), peer.MailUser)

	// It reads its configuration again where it may.
	if err := os.Chmod(filepath.Join(dir, "doorstep.toml"), 0o644); err != nil {
		t.Fatal(err)
	}
	rewrite(t, dir, configuration+"\n[[user]]\naddress = \"newcomer@example.org\"\n")
	if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 ||
		!strings.Contains(out, "newcomer") {
		t.Errorf("reload: %q, %q, exit status %d", out, errs, code)
	}
	session(t, dir).deliver("new", "newcomer")
}

// TestOwners: each recipient of a transaction gets mail as their own user, and what is wrong with
// one account is that account's.
func TestOwners(t *testing.T) {
	dir := ownersPlace(t)
	s := serveStatic(t, dir, ownersConfig)
	both := map[string]string{ // CAP_SETGID and CAP_SETUID
		"CapPrm": "00000000000000c0", "CapEff": "00000000000000c0", "CapInh": "0000000000000000",
		"CapAmb":     "0000000000000000",
		"NoNewPrivs": "1", "Seccomp": "2", "Groups": "", "Uid": "8 8 8 8", "Gid": "8 8 8 8",
	}
	wantThreads(t, s.cmd.Process.Pid, both)

	d := session(t, dir)
	d.deliver("to all", "alice", "bob", "carol", "virtual")
	large := "Subject: large\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000)
	d.begin("alice", "bob", "carol")
	d.send(large + ".\r\n")
	for range 3 {
		d.want("250 2.0.0 ")
	}
	for home, id := range map[string]int{"alice": aliceID, "bob": bobID, "carol": carolID} {
		if got := messages(t, dir, home); len(got) != 2 {
			t.Errorf("%s has %q", home, got)
		}
		wantOwner(t, filepath.Join(dir, "homes", home), id)
	}
	wantOwner(t, filepath.Join(dir, "homes", "virtual"), peer.MailUser)

	// Rows that make no sense.
	d.say("MAIL FROM:<s@example.com>", "250 ")
	for local, why := range map[string]string{
		"root": "owns no mailbox", "daemon": "store.first_valid_uid", "groupie": "store.first_valid_gid",
		"escaped": "is not below",
	} {
		d.say("RCPT TO:<"+local+"@example.org>", "451 4.3.0 ")
		s.awaitLog(t, why)
		if log := s.log.String(); !strings.Contains(log, "account "+local+"@example.org") {
			t.Errorf("the log does not name %s: %s", local, log)
		}
	}
	d.say("RSET", "250 ")

	// A home that leads into another's.
	mine, theirs := filepath.Join(dir, "homes", "bob", "Maildir", "new"),
		filepath.Join(dir, "homes", "alice", "Maildir", "new")
	if err := errors.Join(os.RemoveAll(mine), os.Symlink(theirs, mine), os.Lchown(mine, bobID, bobID)); err != nil {
		t.Fatal(err)
	}
	d.begin("bob", "alice")
	d.send(message("after the attack") + ".\r\n")
	d.want("451 4.2.0 ")
	d.want("250 2.0.0 ")
	if got := messages(t, dir, "alice"); len(got) != 3 {
		t.Errorf("Alice has %q, want 3", got)
	}
	wantThreads(t, s.cmd.Process.Pid, both)
}

// TestOwnersUnderLoad: whatever threads do for owners, the process is nobody's but its own, and
// none is left with the rights of another.
func TestOwnersUnderLoad(t *testing.T) {
	dir := ownersPlace(t)
	s := serveStatic(t, dir, ownersConfig)
	pid := s.cmd.Process.Pid
	const sessions, each = 8, 40
	var group sync.WaitGroup
	for i := range sessions {
		d := session(t, dir)
		group.Go(func() {
			for range each {
				d.deliver("load", []string{"alice", "bob"}[i%2], "carol")
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	seen := map[string]int{}
	for running := true; running; {
		for _, line := range threads(t, pid, "Uid") {
			seen[line]++
		}
		select {
		case <-done:
			running = false
		default:
		}
	}
	if t.Failed() {
		return
	}
	for line := range seen {
		allowed := []string{"8 8 8 8", "8 8 8 20001", "8 8 8 20002", "8 8 8 20003"}
		if !slices.Contains(allowed, line) {
			t.Errorf("a thread was %q", line)
		}
	}
	t.Logf("threads seen: %v", seen)
	wantThreads(t, pid, map[string]string{"Uid": "8 8 8 8", "Gid": "8 8 8 8", "Groups": ""})
	for home, want := range map[string]int{"alice": sessions / 2 * each, "bob": sessions / 2 * each,
		"carol": sessions * each} {
		if got := len(messages(t, dir, home)); got != want {
			t.Errorf("%s has %d messages, want %d", home, got, want)
		}
	}
	for home, id := range map[string]int{"alice": aliceID, "bob": bobID, "carol": carolID} {
		wantOwner(t, filepath.Join(dir, "homes", home), id)
	}
}

// TestOwnersUpgrade: a process that takes over can do what the one before it could.
func TestOwnersUpgrade(t *testing.T) {
	dir := ownersPlace(t)
	serveStatic(t, dir, ownersConfig)
	session(t, dir).deliver("before", "alice")
	pid := upgraded(t, dir)
	session(t, dir).deliver("after", "alice", "bob")
	wantThreads(t, pid, map[string]string{"CapPrm": "00000000000000c0", "CapInh": "0000000000000000",
		"CapAmb": "0000000000000000", "Uid": "8 8 8 8"})
	wantOwner(t, filepath.Join(dir, "homes", "alice"), aliceID)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// TestDeliverAsOwner: deliver has the same rules, whatever user starts it; who may not become others
// delivers to a mailbox of their own.
func TestDeliverAsOwner(t *testing.T) {
	dir := ownersPlace(t)
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(ownersConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		uid  uint32
		to   string
		code int
	}{
		{0, "alice", 0}, {0, "virtual", 0}, {0, "escaped", exTempFail},
		{aliceID, "alice", 0}, {aliceID, "bob", exTempFail}, {aliceID, "virtual", exTempFail},
		{peer.MailUser, "virtual", 0}, {peer.MailUser, "alice", exTempFail},
	} {
		cmd := exec.Command(program, "deliver", "-c", "doorstep.toml", c.to+"@example.org")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(message("piped"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid}}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != c.code {
			t.Errorf("user %d to %s: %v, want exit status %d\n%s", c.uid, c.to, err, c.code, out)
		}
	}
	wantOwner(t, filepath.Join(dir, "homes", "alice"), aliceID)
	wantOwner(t, filepath.Join(dir, "homes", "virtual"), peer.MailUser)
	if got := names(t, filepath.Join(dir, "homes", "bob")); len(got) > 0 {
		t.Errorf("Bob has %q", got)
	}
}

// TestStartWithoutRights: a server that could not do what the configuration says does not start,
// and says why.
func TestStartWithoutRights(t *testing.T) {
	dir := ownersPlace(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		uid       uint32
		old, new  string
		want      string
		afterward map[string]string
	}{
		"another user":    {uid: aliceID, want: `this is user 20001, who cannot become "mail" (store.user)`},
		"no capabilities": {uid: peer.MailUser, want: "neither root's rights nor CAP_SETUID and CAP_SETGID"},
		"nobody to be":    {old: `user = "mail"`, new: "", want: "store.user does not say whom to run as"},
		"nobody like that": {old: `user = "mail"`, new: `user = "no-such-user"`,
			want: `store.user: no user "no-such-user" on this machine`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(strings.Replace(ownersConfig, c.old, c.new, 1)),
				0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(dir, int(c.uid), int(c.uid)); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "serve", "-c", "doorstep.toml")
			cmd.Dir = dir
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL,
				Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid}}
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) || !strings.Contains(string(out), "hint: ") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestAmbientCapabilities: systemd can start the server as its user, with no more than it needs.
func TestAmbientCapabilities(t *testing.T) {
	dir := ownersPlace(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chown(dir, peer.MailUser, peer.MailUser),
		os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(ownersConfig), 0o644)); err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, cmd: exec.Command(program, "serve", "-c", "doorstep.toml")}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	s.cmd.Dir = dir
	s.exited = make(chan struct{})
	s.cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser, Groups: []uint32{1, 2}},
		AmbientCaps: []uintptr{unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_NET_BIND_SERVICE},
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.err = s.cmd.Wait(); s.out.close(); s.log.close(); close(s.exited) }()
	t.Cleanup(s.kill)
	s.awaitLog(t, "msg=listening")
	wantThreads(t, s.cmd.Process.Pid, map[string]string{
		"CapPrm": "00000000000000c0", "CapInh": "0000000000000000", "CapAmb": "0000000000000000", "Groups": "",
		"Uid": "8 8 8 8", "NoNewPrivs": "1",
	})
	session(t, dir).deliver("ambient", "alice", "bob")
	wantOwner(t, filepath.Join(dir, "homes", "alice"), aliceID)
}
