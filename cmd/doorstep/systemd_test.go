package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A fakeSystemd starts a server as systemd does: with sockets that are open already, and a socket to
// tell how it is.
type fakeSystemd struct {
	*server
	notes <-chan string
}

// activate starts a server with sockets by name; env has more of the environment.
func activate(tb testing.TB, dir, configuration string, names []string, sockets []net.Listener,
	env ...string) *fakeSystemd {
	tb.Helper()
	rewrite(tb, dir, configuration)
	notes, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { notes.Close() })
	said := make(chan string, 1000) // the kernel keeps ten, and the watchdog says many
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := notes.Read(buf)
			if err != nil {
				return
			}
			said <- string(buf[:n])
		}
	}()
	// LISTEN_PID is the number of the very process.
	s := &server{dir: dir, cmd: exec.Command("sh", "-c", `LISTEN_PID=$$ exec doorstep serve -c doorstep.toml`)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	s.cmd.Env = append(append(os.Environ(), env...), fmt.Sprintf("LISTEN_FDS=%d", len(sockets)),
		"LISTEN_FDNAMES="+strings.Join(names, ":"), "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	for _, socket := range sockets {
		file, err := daemon.Duplicate(socket)
		if err != nil {
			tb.Fatal(err)
		}
		defer file.Close()
		s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, file)
	}
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.kill)
	return &fakeSystemd{s, said}
}

// note waits for a note that matches; those of the watchdog may come between.
func (f *fakeSystemd) note(tb testing.TB, want string) {
	tb.Helper()
	end := time.After(patience)
	for {
		var got string
		select {
		case got = <-f.notes:
		case <-end:
			tb.Fatalf("no note %q\n%s", want, f.log.String())
		}
		if regexp.MustCompile(want).MatchString(got) {
			return
		}
		if got != "WATCHDOG=1" {
			tb.Fatalf("note %q, want %q", got, want)
		}
	}
}

func listenOn(tb testing.TB, network, address string) net.Listener {
	tb.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		tb.Fatal(err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

const activated = `hostname = "mail.example.org"
[control]
socket = "control"
[[listen]]
address = "systemd:lmtp"
[[listen]]
address = "systemd:submission"
protocol = "esmtp"
[store]
path = "mail/{domain}/{local}/Maildir"
[[domain]]
name = "example.org"
[[user]]
address = "alice@example.org"
aliases = ["postmaster@example.org"]
`

// TestSystemd: sockets are taken by their names, several of one name too, systemd hears of every
// state, and the socket's file stays.
func TestSystemd(t *testing.T) {
	dir := place(t)
	unix, v4, v6 := listenOn(t, "unix", filepath.Join(dir, "lmtp")), listenOn(t, "tcp", "127.0.0.1:0"),
		listenOn(t, "tcp", "127.0.0.1:0")
	f := activate(t, dir, activated, []string{"submission", "lmtp", "submission", "other"},
		[]net.Listener{v4, unix, v6, listenOn(t, "tcp", "127.0.0.1:0")}, "WATCHDOG_USEC=90000")
	f.note(t, "^READY=1\nSTATUS=")
	f.awaitLog(t, `a socket was passed that the configuration does not name" name=systemd:other`)
	session(t, dir).deliver("by LMTP", "alice")
	for _, l := range []net.Listener{v4, v6} {
		if r := sendTo(t, "tcp:"+l.Addr().String(), client.ESMTP, "by ESMTP"); !r.Recipients[0].Delivered() {
			t.Errorf("%+v", r.Recipients[0])
		}
	}
	wantStored(t, dir, "alice", "by LMTP", "by ESMTP", "by ESMTP")
	f.note(t, "^WATCHDOG=1$")

	f.signal(t, syscall.SIGHUP)
	f.note(t, "^RELOADING=1\nMONOTONIC_USEC=[0-9]{6,}$")
	f.note(t, "^READY=1\n")
	session(t, dir).deliver("after the reload", "alice")

	pid := upgraded(t, dir)
	// systemd listens to the new process from then on; it hears nothing of it before.
	f.note(t, fmt.Sprintf("^MAINPID=%d$", pid))
	session(t, dir).deliver("after the upgrade", "alice")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.note(t, "^STOPPING=1$")
	// systemd waits for the end of its own children alone: we are in its place.
	var how syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &how, 0, nil); err != nil || how.ExitStatus() != 0 {
		t.Errorf("the new process is no child of the manager, or failed: %v, %v", err, how)
	}
	if _, err := os.Lstat(filepath.Join(dir, "lmtp")); err != nil {
		t.Errorf("systemd's socket file: %v", err)
	}
}

// TestSystemdByAddress: a listener that names the address of a socket of systemd is given that socket, and systemd
// keeps its file: over a start, an upgrade to other spellings, and a stop.
func TestSystemdByAddress(t *testing.T) {
	dir := place(t)
	path := filepath.Join(dir, "lmtp")
	unix, tcp := listenOn(t, "unix", path), listenOn(t, "tcp", "127.0.0.1:0")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	byAddress := strings.NewReplacer("systemd:lmtp", "unix:"+dir+"/./lmtp", "systemd:submission",
		"tcp:"+tcp.Addr().String()).Replace(activated)
	f := activate(t, dir, byAddress, []string{"lmtp", "submission"}, []net.Listener{unix, tcp})
	f.note(t, "^READY=1\nSTATUS=")
	f.awaitLog(t, `not as the configuration says" address=unix:`+path+` name=systemd:lmtp hint="write SocketMode=0660 in the socket unit`)
	deliver := func(subject string) {
		t.Helper()
		session(t, dir).deliver(subject, "alice")
		if r := sendTo(t, "tcp:"+tcp.Addr().String(), client.ESMTP, subject); !r.Recipients[0].Delivered() {
			t.Errorf("%+v", r.Recipients[0])
		}
	}
	deliver("after the start")

	// The names stay systemd's: the next process may find them in its configuration, and so may the one after it.
	pid := 0
	for _, configuration := range []string{byAddress, activated, byAddress} {
		rewrite(t, dir, configuration)
		pid = upgraded(t, dir)
		f.note(t, fmt.Sprintf("^MAINPID=%d$", pid))
		deliver("after an upgrade")
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.note(t, "^STOPPING=1$")
	var how syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &how, 0, nil); err != nil || how.ExitStatus() != 0 {
		t.Errorf("%v, %v", err, how)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("systemd's socket file: %v", err)
	}
	if log := f.log.String(); strings.Contains(log, "does not name") {
		t.Errorf("a socket was not taken:\n%s", log)
	}
}

// TestSocketsOutOfReach: sockets that the server was given, or opened as root, may be where it cannot look later, as in
// Postfix's private/. Nothing is wrong with that, at the start or at a reload.
func TestSocketsOutOfReach(t *testing.T) {
	needRoot(t)
	for name, user := range map[string]string{"systemd's": "", "opened as root": "user = \"8\"\ngroup = \"8\"\n"} {
		t.Run(name, func(t *testing.T) {
			dir := ownersPlace(t)
			private := filepath.Join(dir, "private")
			configuration := strings.NewReplacer("systemd:lmtp", "unix:"+filepath.Join(private, "lmtp"),
				"[[listen]]\naddress = \"systemd:submission\"\nprotocol = \"esmtp\"\n", "", `socket = "control"`,
				`socket = "mail/control"`, "[store]\n", "[admin]\naddress = \"unix:"+filepath.Join(private, "admin")+
					"\"\n[store]\n"+user).Replace(activated)
			mail := filepath.Join(dir, "mail")
			if err := errors.Join(os.Mkdir(private, 0o700), os.MkdirAll(mail, 0o700), os.Chown(mail, 8, 8)); err != nil {
				t.Fatal(err)
			}
			program, err := staticDoorstep()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o644); err != nil {
				t.Fatal(err)
			}
			s := &server{dir: dir, cmd: exec.Command("sh", "-c", "LISTEN_PID=$$ exec "+program+" serve -c doorstep.toml")}
			s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
			if user == "" {
				s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 8, Gid: 8}}
				s.cmd.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=lmtp:admin")
				for _, name := range []string{"lmtp", "admin"} {
					socket := listenOn(t, "unix", filepath.Join(private, name))
					if err := os.Chmod(filepath.Join(private, name), 0o660); err != nil {
						t.Fatal(err)
					}
					file, err := daemon.Duplicate(socket)
					if err != nil {
						t.Fatal(err)
					}
					defer file.Close()
					s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, file)
				}
			}
			if err := s.start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.kill)
			s.awaitLog(t, "msg=listening")
			s.awaitLog(t, "admin listener")
			if _, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 || errs != "" {
				t.Errorf("reload: %s", errs)
			}
			if log := s.log.String(); strings.Contains(log, "private: permission denied") ||
				strings.Contains(log, "look at the socket") || strings.Contains(log, "does not fit") ||
				strings.Contains(log, "problem of the configuration") {
				t.Errorf("a warning of what is right:\n%s", log)
			}
		})
	}
}

// TestSystemdNamedTwice: one socket for two listeners is said to be that, in either order.
func TestSystemdNamedTwice(t *testing.T) {
	for name, order := range map[string][2]string{
		"the name first": {"systemd:lmtp", "unix:"}, "the address first": {"unix:", "systemd:lmtp"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := place(t)
			path := filepath.Join(dir, "lmtp")
			first, second := order[0], order[1]
			first, second = strings.Replace(first, "unix:", "unix:"+path, 1), strings.Replace(second, "unix:", "unix:"+path, 1)
			configuration := strings.NewReplacer("systemd:lmtp", first, "systemd:submission", second, "esmtp",
				"lmtp").Replace(activated)
			f := activate(t, dir, configuration, []string{"lmtp"}, []net.Listener{listenOn(t, "unix", path)})
			if code := f.exitCode(t); code != cli.ExitFailure {
				t.Errorf("exit status %d", code)
			}
			want := "listen on " + second + ": this is systemd's socket lmtp at " + path + ", which the listener of " + first +
				" has already"
			if log := f.log.String(); !strings.Contains(log, want) || !strings.Contains(log, "hint: ") {
				t.Errorf("log %q, want %q and a hint", log, want)
			}
		})
	}
}

// TestWatchdogGivesUp: systemd sends SIGABRT to a service that it hears nothing of. What then ends must not
// say that its configuration is wrong (RestartPreventExitStatus=2), or it is not started anew.
func TestWatchdogGivesUp(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(""))
	s.signal(t, syscall.SIGABRT)
	if code := s.exitCode(t); code != -1 {
		t.Errorf("exit status %d, want none but the signal", code)
	}
	if log := s.log.String(); !strings.Contains(log, "SIGABRT") || !strings.Contains(log, "goroutine ") {
		t.Errorf("the log does not say what it was doing:\n%s", log)
	}
}

// TestSystemdMistakes: what only shows when the sockets are there is said then.
func TestSystemdMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		configuration string
		names         []string
		network       string
		address       string
		want          string
		code          int
	}{
		"no such name": {activated, []string{"lmpt"}, "tcp", "127.0.0.1:0",
			"systemd passed no socket of this name, but systemd:lmpt", cli.ExitFailure},
		"none at all": {activated, nil, "", "", "systemd passed no socket of this name, but none at all", cli.ExitFailure},
		"LMTP on port 25 (LMTP-14)": {strings.Replace(activated, "esmtp", "lmtp", 1), []string{"submission"}, "tcp",
			"127.77.7.25:25",
			"LMTP must not be on port 25", cli.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			dir := place(t)
			names, sockets := []string{"lmtp"}, []net.Listener{listenOn(t, "unix", filepath.Join(dir, "lmtp"))}
			if tt.code == cli.ExitFailure {
				names, sockets = nil, nil
			}
			if tt.network != "" {
				if strings.HasSuffix(tt.address, ":25") {
					needRoot(t)
				}
				names, sockets = append(names, tt.names...), append(sockets, listenOn(t, tt.network, tt.address))
			}
			f := activate(t, dir, tt.configuration, names, sockets)
			if code := f.exitCode(t); code != tt.code {
				t.Errorf("exit status %d", code)
			}
			if log := f.log.String(); !strings.Contains(log, tt.want) || !strings.Contains(log, "hint: ") {
				t.Errorf("log %q, want %q and a hint", log, tt.want)
			}
		})
	}
}
