package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// A hungThing is something that a server needs for carol and that stops to answer.
type hungThing struct {
	name string
	// configure returns what the configuration says of it. What is in disk hangs; so does what is connected to.
	configure func(t *testing.T, dir, disk string) string
	network   bool // it never answers
	deferred  bool // carol's mail, meanwhile
	named     string
	reloads   bool // what is in force can be read again meanwhile, and the program be upgraded
}

const carol = "[[domain]]\nname = \"dst.example\"\n[[user]]\naddress = \"carol@dst.example\"\n"

var hungThings = []hungThing{
	{name: "store", deferred: true, reloads: true, named: "file system ", configure: func(t *testing.T, dir,
		disk string) string {
		at := filepath.Join(dir, "mail", "dst.example")
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(disk, at, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return carol
	}},
	{name: "PostgreSQL", network: true, deferred: true, reloads: true, named: "directory postgres",
		configure: database("postgres")},
	{name: "MySQL", network: true, deferred: true, reloads: true, named: "directory mysql", configure: database("mysql")},
	{name: "LDAP", network: true, deferred: true, reloads: true, named: "directory ldap",
		configure: hungLDAP("ldap", "", "")},
	{name: "LDAP, in the handshake", network: true, deferred: true, reloads: true, named: "directory ldap",
		configure: hungLDAP("ldaps", "", "")},
	{name: "LDAP, after StartTLS", network: true, deferred: true, reloads: true, named: "directory ldap",
		configure: hungLDAP("ldap", "starttls = true\n", startTLSTaken)},
	{name: "passwd-file", deferred: true, named: "directory passwd-file", configure: func(t *testing.T, _,
		disk string) string {
		put("users", "carol@dst.example:::::::\n", 0o600)(t, disk)
		return strings.Split(carol, "[[user]]")[0] + directoryOf("passwd-file", fmt.Sprintf("file = %q\n",
			filepath.Join(disk, "users")))
	}},
	{name: "SQLite", deferred: true, named: "directory sqlite", configure: func(t *testing.T, dir, disk string) string {
		more := directoryOf("sqlite", fmt.Sprintf("file = %q\n", filepath.Join(disk, "accounts.db")))
		rewrite(t, dir, controlled(more))
		manage(t, dir, "domain add dst.example", "user add carol@dst.example")
		return more
	}},
	{name: "certificate and passwords", configure: func(t *testing.T, dir, disk string) string {
		certify(t, disk, time.Now().Add(48*time.Hour))
		put("users", "u:{SCRAM-SHA-256}4096,c2FsdA==,c3RvcmVk,c2VydmVy\n", 0o600)(t, disk)
		port := peer.FreePort(t)
		put("port", port, 0o600)(t, dir)
		return carol + fmt.Sprintf("[[listen]]\naddress = \"tcp:127.0.0.1:%s\"\nprotocol = \"esmtp\"\ntls = \"starttls\"\n"+
			"auth = [\"SCRAM-SHA-256\"]\n[tls]\ncertificate = %q\nkey = %q\n[auth]\npasswd_file = %q\n", port,
			filepath.Join(disk, "cert.pem"), filepath.Join(disk, "key.pem"), filepath.Join(disk, "users"))
	}},
}

func directoryOf(driver, keys string) string {
	if driver != "passwd-file" {
		keys += "cache_ttl = \"0s\"\nnegative_ttl = \"0s\"\ntimeout = \"1s\"\n"
	}
	return fmt.Sprintf("[[directory]]\ndriver = %q\n%s", driver, keys)
}

// silent is an address where connections are taken and, but for what it says at first, nothing is ever answered.
func silent(t *testing.T, says string) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := conn.Read(make([]byte, 1000)); err == nil {
					_, _ = io.WriteString(conn, says) // it may have given up
				}
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	t.Cleanup(func() { l.Close() })
	host, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

func database(driver string) func(*testing.T, string, string) string {
	return func(t *testing.T, dir, _ string) string {
		host, port := silent(t, "")
		put("password", "secret\n", 0o600)(t, dir)
		return directoryOf(driver, fmt.Sprintf("host = %q\nport = %s\ndatabase = \"mail\"\nuser = \"u\"\n"+
			"password_file = \"password\"\n", host, port))
	}
}

// startTLSTaken is the answer to a first request which was StartTLS (RFC 4511 §4.14.2): success.
const startTLSTaken = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"

func hungLDAP(scheme, keys, says string) func(*testing.T, string, string) string {
	return func(t *testing.T, _, _ string) string {
		host, port := silent(t, says)
		return directoryOf("ldap", fmt.Sprintf("servers = [\"%s://%s:%s\"]\nbase = \"dc=x\"\nschema = \"iredmail\"\n%s",
			scheme, host, port, keys))
	}
}

// TestHungThings: each thing that a server needs hangs. Who needs it gets 451 in time, and at once when it is known;
// mail for others is delivered; it is seen where people look; configuration and program can be exchanged where they are
// not on what hangs; and the server stops. When the thing answers, so does the server.
func TestHungThings(t *testing.T) {
	t.Parallel()
	powercut.Need(t)
	if !powercut.Alone(t) {
		return
	}
	for _, thing := range hungThings {
		t.Run(thing.name, func(t *testing.T) {
			t.Parallel()
			thing.test(t)
		})
	}
}

func (h hungThing) test(t *testing.T) {
	dir, disk := place(t), powercut.NewLoopback(t)
	s := serveConfig(t, dir, controlled(adminConfig+h.configure(t, dir, disk.Dir)))
	s.awaitLog(t, "admin listener")
	hang := func() {
		if !h.network {
			disk.Stop(t)
		}
	}
	want := "250"
	if !h.network {
		if code := h.ask(t, dir); code != "250" {
			t.Fatalf("before: %s", code)
		}
	}
	if h.deferred {
		want = "451"
	}
	hang()
	h.await(t, dir, want)
	began := time.Now()
	if h.ask(t, dir); time.Since(began) > 7*time.Second {
		t.Errorf("when it is known the answer takes %v", time.Since(began))
	}
	began = time.Now()
	d := session(t, dir)
	d.deliver("meanwhile", "bob")
	d.conn.Close() // an upgrade waits for sessions
	if code, ready := ask(t, dir, "/readyz"); !strings.Contains(ready, h.named) || (code == 200) == h.deferred {
		t.Errorf("readyz: %d %s", code, ready)
	}
	if _, text := ask(t, dir, "/metrics"); !strings.Contains(text, "go_goroutines ") {
		t.Error("no metrics")
	}
	out, code := invoke(t, dir, "status", "-c", "doorstep.toml")
	if (code == 0) == h.deferred || !strings.Contains(out, h.named) {
		t.Errorf("status: %d %s", code, out)
	}
	pid := s.cmd.Process.Pid
	if h.reloads {
		if out, code := invoke(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
			t.Errorf("reload: %s", out)
		}
		pid = upgraded(t, dir)
		s.awaitLog(t, "msg=stopped")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the other things took %v", took)
	}
	if !h.network {
		disk.Continue(t)
		h.await(t, dir, "250")
		hang()
	}
	h.await(t, dir, want)
	waitsInFirstThread(t, pid)
	began = time.Now()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "msg=stopping")
	s.awaitLog(t, "msg=stopped")
	if took := time.Since(began); took > daemon.Grace {
		t.Errorf("stopped after %v", took)
	}
	disk.Continue(t) // the kernel lets no process end with a request that FUSE has begun
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// waitsInFirstThread checks that the thread which gets signals from the kernel does not hang with the others.
func waitsInFirstThread(t *testing.T, pid int) {
	t.Helper()
	where, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/wchan", pid))
	if err != nil || strings.Contains(string(where), "fuse") || strings.Contains(string(where), "request_wait") {
		t.Errorf("the first thread waits in %q (%v)", where, err)
	}
}

// await waits for an answer: what a file system has remembered is still answered. Each has to come in time.
func (h hungThing) await(t *testing.T, dir, want string) {
	t.Helper()
	peer.Await(t, patience, want, func() bool {
		began := time.Now()
		code := h.ask(t, dir)
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("%s after %v", code, took)
		}
		return code == want
	})
}

// ask sends carol a message, by way of what hangs. It returns the code that decides.
func (h hungThing) ask(t *testing.T, dir string) string {
	t.Helper()
	if h.deferred {
		return codeFor(t, dir, "carol@dst.example")
	}
	port, err := os.ReadFile(filepath.Join(dir, "port"))
	if err != nil {
		t.Fatal(err)
	}
	d := dialTarget(t, "tcp", "127.0.0.1:"+string(port))
	defer d.conn.Close()
	d.want("220 ")
	d.say("EHLO client.example", "250-")
	d.say("STARTTLS", "220 ")
	secured := tls.Client(d.conn, &tls.Config{InsecureSkipVerify: true})
	if err := secured.Handshake(); err != nil {
		t.Error(err)
		return ""
	}
	return "250"
}

// TestLogOnHungFile: the log goes into a file whose file system hangs. Mail is delivered, the first after a second, and
// the server stops.
func TestLogOnHungFile(t *testing.T) {
	t.Parallel()
	powercut.Need(t)
	if !powercut.Alone(t) {
		return
	}
	dir, disk := place(t), powercut.NewLoopback(t)
	rewrite(t, dir, plainConfig(adminConfig))
	cmd := exec.Command("sh", "-c", "exec doorstep serve -c doorstep.toml 2>"+filepath.Join(disk.Dir, "log"))
	cmd.Dir = dir
	p := peer.Start(t, cmd)
	peer.AwaitListener(t, p, "unix", filepath.Join(dir, "admin"))
	session(t, dir).deliver("before", "alice")
	disk.Stop(t)
	began := time.Now()
	for range 100 {
		session(t, dir).deliver("meanwhile", "alice")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("100 deliveries took %v", took)
	}
	if code, ready := ask(t, dir, "/readyz"); code != 200 {
		t.Errorf("readyz: %s", ready)
	}
	began = time.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	peer.Await(t, patience, "the end of its socket", func() bool {
		_, err := os.Lstat(filepath.Join(dir, "lmtp"))
		return err != nil
	})
	if took := time.Since(began); took > daemon.Grace {
		t.Errorf("stopped after %v", took)
	}
	disk.Continue(t)
	<-p.Exited()
	if n := len(stored(t, dir, "alice")); n != 101 {
		t.Errorf("%d messages are stored", n)
	}
}

// TestHungState: the database in which it is remembered who has a message never answers. An alias is delivered all the
// same, without a wait as soon as that is known, and the server stops.
func TestHungState(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"postgres", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			dir := place(t)
			host, port := silent(t, "")
			s := serveConfig(t, dir, controlled(fmt.Sprintf("[state]\ndriver = %q\nhost = %q\nport = %s\n"+
				"database = \"mail\"\nuser = \"u\"\n[[alias]]\naddress = \"team@example.org\"\n"+
				"to = [\"alice@example.org\", \"bob@example.org\"]\n", driver, host, port)))
			deliver := func() time.Duration {
				d, began := session(t, dir), time.Now()
				d.deliver("meanwhile", "team")
				d.say("QUIT", "221 ")
				return time.Since(began)
			}
			if took := deliver(); took > 12*time.Second {
				t.Errorf("the first message took %v", took)
			}
			s.awaitLog(t, `msg="state cannot be kept`)
			peer.Await(t, patience, "a message without a wait", func() bool { return deliver() < time.Second })
			began := time.Now()
			if err := syscall.Kill(s.cmd.Process.Pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code := s.exitCode(t); code != 0 || time.Since(began) > daemon.Grace {
				t.Errorf("exit status %d after %v", code, time.Since(began))
			}
			if a, b := len(stored(t, dir, "alice")), len(stored(t, dir, "bob")); a != b || a < 2 {
				t.Errorf("alice has %d messages, bob %d", a, b)
			}
		})
	}
}
