package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// users is how many mailboxes there are: enough for new ones to be made all the time.
const users = 300

func local(user int) string { return fmt.Sprintf("u%03d", user) }

func address(user int) string { return local(user) + "@example.org" }

// maildir is where a user's Maildir is below a store.
func maildir(store string, user int) string { return filepath.Join(store, local(user), "Maildir") }

// long says whether to run everything, as "make crash" does.
var long = os.Getenv("DOORSTEP_CRASH") == "long"

// program is where the built program is, in the environment for processes that run one test
// alone.
const program = "DOORSTEP_CRASH_PROGRAM"

// TestMain builds the program, as it is released: static, and without the race detector.
func TestMain(m *testing.M) {
	if powercut.ServeLoopback() {
		return
	}
	if os.Getenv(program) != "" {
		os.Exit(m.Run())
	}
	os.Exit(withProgram(m.Run))
}

func withProgram(run func() int) int {
	dir, err := os.MkdirTemp("", "doorstep-crash-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // the server has a user of its own
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "doorstep")
	build := exec.Command("go", "build", "-o", path, doorstep)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv(program, path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}

// doorstep is the program's package.
const doorstep = "github.com/doorstep-mail/doorstep/cmd/doorstep"

// A site is a server's place: its socket and configuration in one directory, the store in
// another.
type site struct {
	dir, store string
	setting    setting
	desk       *desk // which takes the reports; nil: there are none
}

// openSite makes a place for a server whose mail is in store, which is made. more is what else
// the configuration says: keys of [store], and other tables after them.
func openSite(t *testing.T, store, more string) *site {
	t.Helper()
	makeStore(t, store)
	return configure(t, store, store+"/{local}/Maildir", more)
}

// openSites is openSite with the accounts whose number is odd in another store.
func openSites(t *testing.T, even, odd, more string) *site {
	t.Helper()
	makeStore(t, even)
	makeStore(t, odd)
	for user := range users {
		makeStore(t, home(even, odd, user))
	}
	return configure(t, even, "{home}/Maildir", more, func(user int) string {
		return fmt.Sprintf("home = %q\n", home(even, odd, user))
	})
}

// home is where a user's home is, in one of two stores.
func home(even, odd string, user int) string {
	return filepath.Join([]string{even, odd}[user%2], local(user))
}

// configure writes the configuration; each account has what the functions say besides.
func configure(t *testing.T, store, path, more string, account ...func(user int) string) *site {
	t.Helper()
	s := &site{dir: ownDir(t), store: store, setting: plain}
	var b strings.Builder
	fmt.Fprintf(&b, "hostname = \"mail.example.org\"\npostmaster = %q\n", address(0))
	fmt.Fprintf(&b, "[[listen]]\naddress = \"unix:lmtp\"\n[[domain]]\nname = \"example.org\"\n")
	for user := range users {
		fmt.Fprintf(&b, "[[user]]\naddress = %q\n", address(user))
		for _, line := range account {
			b.WriteString(line(user))
		}
	}
	fmt.Fprintf(&b, "[store]\npath = %q\n%s\n", path, more)
	if err := os.WriteFile(filepath.Join(s.dir, "doorstep.toml"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// ownDir makes a directory that belongs to the server's user, who is the test's own unless that is
// root.
func ownDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() == 0 {
		return peer.MailDir(t)
	}
	return peer.Dir(t)
}

// makeStore makes a directory for mail, durably: it is the administrator's to be there.
func makeStore(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, peer.MailUser, peer.MailUser); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		f, err := os.Open(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// target is the server's address.
func (s *site) target() string { return "unix:" + filepath.Join(s.dir, "lmtp") }

// start starts the server, by way of another program where a wrapper is given, and waits until
// it listens.
func (s *site) start(t *testing.T, wrapper ...string) *peer.Process {
	t.Helper()
	args := append(wrapper, os.Getenv(program), "serve", "-c", "doorstep.toml")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	if os.Geteuid() == 0 && !s.setting.owners { // else it becomes that user by itself
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser}}
	}
	p := peer.Start(t, cmd)
	peer.AwaitListener(t, p, "unix", filepath.Join(s.dir, "lmtp"))
	return p
}

// stop ends the server in good order.
func stop(t *testing.T, p *peer.Process) {
	t.Helper()
	p.Stop()
	if err := p.Err(); err != nil || strings.Contains(p.Output(), "panic") {
		t.Errorf("the server ended with %v:\n%.5000s", err, p.Output())
	}
}
