package dist

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

const (
	service = "doorstep.service"
	socket  = "doorstep.socket"
	lmtp    = "/run/doorstep/lmtp.sock"
)

// testWithSystemd installs the package on a machine that systemd runs, and lives with it: what an
// administrator does, from installation to purge, in this order.
func testWithSystemd(t *testing.T, packages []string) {
	m := boot(t)
	for i, name := range []string{"a.deb", "b.deb"} {
		run(t, ".", "cp", packages[i], filepath.Join(m.media, name))
	}
	for _, part := range []struct {
		name string
		test func(*testing.T, *machine)
	}{
		{"install", testInstall},
		{"status", testStatus},
		{"activation", testActivation},
		{"journal", testJournal},
		{"journal under load", testJournalDropsNothing},
		{"confinement", testConfinement},
		{"reload", testReload},
		{"restart", testRestart},
		{"upgrade of the process", testTakeOver},
		{"upgrade of the package", testPackageUpgrade},
		{"watchdog", testWatchdog},
		{"broken configuration", testBrokenConfiguration},
		{"read-only store", testReadOnlyStore},
		{"owners", testOwners},
		{"purge", testPurge},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, m) }) {
			return // each goes on where the one before has ended
		}
	}
}

// testInstall: what is installed does not run until it is started, then it is ready.
func testInstall(t *testing.T, m *machine) {
	m.run(t, "dpkg", "-i", "/media/a.deb")
	m.properties(t, service, "ActiveState", "inactive", "UnitFileState", "disabled")
	m.run(t, "doorstep", "check")
	m.run(t, "systemctl", "enable", "--now", socket, "doorstep")
	m.properties(t, service, "Type", "notify", "ActiveState", "active", "SubState", "running", "NRestarts", "0",
		"StatusText", "taking mail", "UnitFileState", "enabled")
	m.properties(t, socket, "ActiveState", "active")
	send(t, m, "postmaster@example.org")
	if got := strings.TrimSpace(m.run(t, "sh", "-c",
		"stat -c %U:%G:%a /var/lib/doorstep/mail/example.org/postmaster/Maildir/new/*")); got != "doorstep:doorstep:600" {
		t.Errorf("the message is %s", got)
	}
}

// send sends a message with the program.
func send(t *testing.T, m *machine, to string) {
	t.Helper()
	m.run(t, "doorstep", "send", "--server", "unix:"+lmtp, "--to", to)
}

// testStatus: root can look at the server as it was installed, and no other user can, the MTA's included.
func testStatus(t *testing.T, m *machine) {
	if said := m.run(t, "doorstep", "status", "--json"); !strings.Contains(said, `"ready":true`) ||
		!strings.Contains(said, "postmaster@example.org") {
		t.Errorf("the status is\n%s", said)
	}
	if got := strings.TrimSpace(m.run(t, "stat", "-c", "%U:%G:%a",
		"/run/doorstep/admin.sock")); got != "doorstep:doorstep:600" {
		t.Errorf("the socket is %s", got)
	}
	said := m.fail(t, "setpriv", "--reuid", "nobody", "--regid", "doorstep", "--clear-groups", "doorstep", "status")
	if !strings.Contains(said, "permission denied") {
		t.Errorf("nobody is told\n%s", said)
	}

	// As docs/monitoring.md says: a group that may ask.
	const dropIn = "/etc/systemd/system/doorstep.service.d/admin.conf"
	good := m.run(t, "cat", configuration)
	m.write(t, configuration, strings.Replace(good, "[admin]\n", "[admin]\ngroup = \"adm\"\nmode = \"0660\"\n", 1))
	m.write(t, dropIn, "[Service]\nSupplementaryGroups=adm\nSystemCallFilter=fchownat\n")
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "restart", "doorstep")
	m.run(t, "setpriv", "--reuid", "nobody", "--regid", "adm", "--clear-groups", "doorstep", "status")
	m.write(t, configuration, good)
	m.run(t, "rm", dropIn)
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "restart", "doorstep")
}

// testActivation: a connection starts the service.
func testActivation(t *testing.T, m *machine) {
	m.run(t, "systemctl", "stop", "doorstep")
	m.properties(t, service, "ActiveState", "inactive", "Result", "success")
	send(t, m, "postmaster@example.org")
	m.properties(t, service, "ActiveState", "active")
	if names := m.property(t, socket, "FileDescriptorName"); names != "lmtp" {
		t.Errorf("the socket is called %q", names)
	}
}

// testJournal: the journal has the lines with their priorities, and no time of ours.
func testJournal(t *testing.T, m *machine) {
	text := m.journal(t)
	for _, want := range []string{"msg=sandbox landlock=", "msg=delivered session=",
		" to=postmaster@example.org mailbox=postmaster@example.org ", ` code="250 2.0.0"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(text, "time=") || strings.Contains(text, "<6>") {
		t.Error("lines begin with what the journal keeps itself")
	}
	if warned := m.run(t, "journalctl", "--no-pager", "-q", "-o", "cat", "-u", "doorstep", "-p", "warning"); warned != "" {
		t.Errorf("it warns:\n%s", warned)
	}
	if said := m.run(t, "journalctl", "--no-pager", "-q", "-o", "json", "-n", "1", "-u", "doorstep", "-g",
		"msg=delivered"); !strings.Contains(said, `"PRIORITY":"6"`) || !strings.Contains(said, `"SYSLOG_FACILITY":"2"`) {
		t.Errorf("in the journal it is\n%s", said)
	}
}

// testJournalDropsNothing: a journal that drops what other services write above 50 lines in an hour has a line for each
// of 300 recipients.
func testJournalDropsNothing(t *testing.T, m *machine) {
	const limit = "/etc/systemd/journald.conf.d/limit.conf"
	m.write(t, limit, "[Journal]\nRateLimitIntervalSec=1h\nRateLimitBurst=50\n")
	m.run(t, "systemctl", "restart", "systemd-journald")
	m.fail(t, "doorstep", "send", "--server", "unix:"+lmtp, "--count", "300", "--sessions", "4", "--per-connection", "5",
		"--to", "under-load@example.org")
	m.run(t, "journalctl", "--sync")
	if got := strings.Count(m.journal(t), " to=under-load@example.org "); got != 300 {
		t.Errorf("the journal has %d lines of 300", got)
	}
	m.run(t, "rm", limit)
	m.run(t, "systemctl", "restart", "systemd-journald")
}

// testConfinement: the kernel says of the process what the unit asks for, and systemd has nothing to say of
// the unit.
func testConfinement(t *testing.T, m *machine) {
	status := m.run(t, "cat", "/proc/"+m.property(t, service, "MainPID")+"/status")
	for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapPrm:\t0000000000000000",
		"CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000"} {
		if !strings.Contains(status, want+"\n") {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	said := m.run(t, "journalctl", "--no-pager", "-q", "-o", "cat", "_PID=1")
	for line := range strings.Lines(said) {
		if strings.Contains(line, "doorstep") &&
			(strings.Contains(line, "gnoring") || strings.Contains(line, "ailed") || strings.Contains(line, "not support")) {
			t.Errorf("systemd says: %s", line)
		}
	}
}

const configuration = "/etc/doorstep/doorstep.toml"

// testReload: systemctl reload returns when the configuration is in force, and fails where it cannot be.
func testReload(t *testing.T, m *machine) {
	good := m.run(t, "cat", configuration)
	pid := m.property(t, service, "MainPID")
	m.write(t, configuration, good+"\n[[user]]\naddress = \"alice@example.org\"\n")
	m.run(t, "systemctl", "reload", "doorstep")
	send(t, m, "alice@example.org")
	m.properties(t, service, "ActiveState", "active", "StatusText", "taking mail", "MainPID", pid)

	m.write(t, configuration, good+"\n[nonsense]\n")
	m.fail(t, "systemctl", "reload", "doorstep")
	m.properties(t, service, "ActiveState", "active", "MainPID", pid)
	send(t, m, "alice@example.org")
	if text := m.journal(t); !strings.Contains(text, "doorstep.toml:") || !strings.Contains(text, "nonsense") {
		t.Errorf("the journal does not say what is wrong:\n%s", text)
	}
	m.write(t, configuration, good+"\n[[user]]\naddress = \"alice@example.org\"\n")
	m.run(t, "systemctl", "reload", "doorstep")
}

// A stream of messages, by some clients at once, each message over a connection of its own.
type stream struct {
	stop         chan struct{}
	clients      sync.WaitGroup
	sent, putOff atomic.Int64
}

// startStream begins to send to alice.
func startStream(t *testing.T, m *machine) *stream {
	t.Helper()
	s := &stream{stop: make(chan struct{})}
	started := make(chan struct{}, 4)
	for range cap(started) {
		s.clients.Go(func() {
			s.one(t, m)
			started <- struct{}{}
			for {
				select {
				case <-s.stop:
					return
				default:
					s.one(t, m)
				}
			}
		})
	}
	for range cap(started) {
		<-started
	}
	return s
}

// one sends a message, again and again where the server asks for that (421: it is stopping). A connection
// that is refused or an answer that is a refusal for good fails the test.
func (s *stream) one(t *testing.T, m *machine) {
	for {
		delivered, err := sendOver(m)
		switch {
		case delivered:
			s.sent.Add(1)
			return
		case err != nil:
			t.Error(err)
			return
		}
		s.putOff.Add(1)
	}
}

// sendOver sends a message to alice over a connection of its own. It is no error when the server puts it
// off.
func sendOver(m *machine) (delivered bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	later := new(client.ReplyError)
	c, err := client.Dial(ctx, "unix:"+m.path(lmtp), client.Options{})
	if errors.As(err, &later) && later.Reply.Temporary() {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer c.Close()
	r, err := c.Send(ctx, client.Message{From: "a@src.example", To: client.To("alice@example.org"),
		Content: strings.NewReader("Subject: x\n\nx\n")})
	switch {
	case err == nil && r.Recipients[0].Delivered():
		return true, nil
	case r != nil && r.Recipients[0].Final.Temporary(): // and then the server hung up
		return false, nil
	}
	return false, fmt.Errorf("%+v: %w", r, err)
}

// end stops the stream, and wants exactly as many messages to be there as were said to be delivered, beside
// those that were there.
func (s *stream) end(t *testing.T, m *machine, before int) {
	t.Helper()
	close(s.stop)
	s.clients.Wait()
	if got, want := countMessages(t, m)-before, int(s.sent.Load()); got != want || want == 0 {
		t.Errorf("%d messages are there, %d were delivered", got, want)
	}
	t.Logf("%d messages, %d put off", s.sent.Load(), s.putOff.Load())
}

func countMessages(t *testing.T, m *machine) int {
	t.Helper()
	found, err := filepath.Glob(m.path("/var/lib/doorstep/mail/example.org/alice/Maildir/new/*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// testRestart: systemd holds the socket, and nobody is refused.
func testRestart(t *testing.T, m *machine) {
	before := countMessages(t, m)
	s := startStream(t, m)
	for range 3 {
		pid := m.property(t, service, "MainPID")
		m.run(t, "systemctl", "restart", "doorstep")
		m.properties(t, service, "ActiveState", "active")
		if m.property(t, service, "MainPID") == pid {
			t.Error("it was not restarted")
		}
	}
	s.end(t, m, before)
}

// testTakeOver: the process that doorstep upgrade starts is the service from then on.
func testTakeOver(t *testing.T, m *machine) {
	before := countMessages(t, m)
	s := startStream(t, m)
	pid := m.property(t, service, "MainPID")
	m.run(t, "doorstep", "upgrade")
	m.properties(t, service, "ActiveState", "active", "SubState", "running", "NRestarts", "0", "StatusText", "taking mail")
	if m.property(t, service, "MainPID") == pid {
		t.Error("systemd still thinks that it is the old process")
	}
	m.run(t, "systemctl", "reload", "doorstep")
	m.run(t, "systemctl", "restart", "doorstep")
	s.end(t, m, before)
	said := m.run(t, "journalctl", "--no-pager", "-q", "-o", "cat", "-u", "doorstep")
	for _, bad := range []string{"which is not our child", "SIGKILL", "reception only permitted"} {
		if strings.Contains(said, bad) {
			t.Errorf("systemd says %q", bad)
		}
	}
}

// testPackageUpgrade: the new program runs, and nobody was refused.
func testPackageUpgrade(t *testing.T, m *machine) {
	before := countMessages(t, m)
	s := startStream(t, m)
	pid := m.property(t, service, "MainPID")
	m.run(t, "dpkg", "-i", "/media/b.deb")
	m.properties(t, service, "ActiveState", "active")
	if m.property(t, service, "MainPID") == pid {
		t.Error("the old program runs")
	}
	s.end(t, m, before)
	if said := m.run(t, "doorstep", "version"); !strings.Contains(said, "1.1.0") {
		t.Errorf("it is %s", said)
	}
	send(t, m, "alice@example.org")
}

// testWatchdog: systemd hears of the service, and starts it anew where it hears nothing.
func testWatchdog(t *testing.T, m *machine) {
	m.properties(t, service, "WatchdogUSec", "30s")
	m.write(t, "/etc/systemd/system/doorstep.service.d/watchdog.conf", "[Service]\nWatchdogSec=1s\n")
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "restart", "doorstep")
	first := m.property(t, service, "WatchdogTimestampMonotonic")
	peer.Await(t, patience, "pings of the watchdog",
		func() bool { return m.property(t, service, "WatchdogTimestampMonotonic") != first })
	m.properties(t, service, "NRestarts", "0", "ActiveState", "active")

	began := time.Now()
	m.run(t, "systemctl", "kill", "-s", "STOP", "--kill-whom=main", "doorstep")
	peer.Await(t, patience, "a restart", func() bool {
		return m.property(t, service, "NRestarts") == "1" && m.property(t, service, "ActiveState") == "active"
	})
	t.Logf("restarted after %v", time.Since(began).Round(time.Millisecond))
	send(t, m, "alice@example.org")
	m.run(t, "rm", "/etc/systemd/system/doorstep.service.d/watchdog.conf")
	m.run(t, "systemctl", "daemon-reload")
}

// testBrokenConfiguration: a service that cannot start is not started again and again, and can be started when
// the configuration is mended.
func testBrokenConfiguration(t *testing.T, m *machine) {
	good := m.run(t, "cat", configuration)
	m.write(t, configuration, good+"\n[nonsense]\n")
	m.fail(t, "systemctl", "restart", "doorstep")
	m.properties(t, service, "ActiveState", "failed", "ExecMainStatus", "2", "NRestarts", "0")
	// A client makes systemd try again, and soon give up, the socket too.
	m.fail(t, "doorstep", "send", "--server", "unix:"+lmtp, "--to", "alice@example.org")
	peer.Await(t, patience, "systemd to give up", func() bool {
		return m.property(t, socket, "ActiveState") == "failed" && m.property(t, service, "ActiveState") == "failed"
	})
	m.properties(t, service, "ActiveState", "failed", "ExecMainStatus", "2", "NRestarts", "0")
	m.write(t, configuration, good)
	m.run(t, "systemctl", "start", "doorstep")
	m.properties(t, socket, "ActiveState", "active")
	send(t, m, "alice@example.org")
}

// testReadOnlyStore: a store that the unit does not let the service write to is reported at the start, once, and
// costs its mail alone: the service runs, and says that it is not ready.
func testReadOnlyStore(t *testing.T, m *machine) {
	good := m.run(t, "cat", configuration)
	m.run(t, "install", "-d", "-o", "doorstep", "/opt/mail")
	m.write(t, configuration, strings.Replace(good, "/var/lib/doorstep/mail/", "/opt/mail/", 1))
	m.run(t, "systemctl", "restart", "doorstep")
	pid := m.property(t, service, "MainPID")
	if said := m.fail(t, "doorstep", "send", "--server", "unix:"+lmtp, "--to",
		"alice@example.org"); !strings.Contains(said, ": 451 4.3.0 ") {
		t.Errorf("the answer is\n%s", said)
	}
	if said := m.fail(t, "doorstep", "status"); !strings.Contains(said, "NOT READY") ||
		!strings.Contains(said, "store /opt/mail cannot be written to: read-only file system") {
		t.Errorf("the status is\n%s", said)
	}
	said := m.run(t, "journalctl", "--no-pager", "-q", "-o", "cat", "-u", "doorstep", "_PID="+pid)
	if strings.Count(said, "does not fit this machine") != 1 || !strings.Contains(said, "ReadWritePaths=") ||
		strings.Count(said, "level=WARN") != 2 {
		t.Errorf("the journal says\n%s", said)
	}
	m.properties(t, service, "ActiveState", "active", "MainPID", pid)
	m.write(t, configuration, good)
	m.run(t, "systemctl", "restart", "doorstep")
}

// testOwners: with the drop-in mail belongs to the accounts' users; without it the service refuses to run.
func testOwners(t *testing.T, m *machine) {
	text := `[[listen]]
address = "systemd:lmtp"
[store]
path   = "{home}/Maildir"
user   = "doorstep"
owners = true
[[domain]]
name = "example.org"
`
	for _, user := range []string{"anna", "bert"} {
		m.run(t, "useradd", "-m", user)
		text += fmt.Sprintf("[[user]]\naddress = \"%s@example.org\"\nhome = \"/home/%[1]s\"\nowner = \"%[1]s\"\n", user)
	}
	m.write(t, configuration, text)
	m.fail(t, "systemctl", "restart", "doorstep")
	m.properties(t, service, "ActiveState", "failed", "ExecMainStatus", "2", "NRestarts", "0")
	m.run(t, "systemctl", "stop", service, socket)

	const dropIns = "/etc/systemd/system/doorstep.service.d/"
	m.run(t, "install", "-D", "-m", "644", "/usr/share/doc/doorstep/examples/owners.conf", dropIns+"owners.conf")
	m.write(t, dropIns+"home.conf", "[Service]\nProtectHome=no\nReadWritePaths=/home\n")
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "start", "doorstep")
	m.run(t, "doorstep", "send", "--server", "unix:"+lmtp, "--to", "anna@example.org", "--to", "bert@example.org")
	if owners := m.run(t, "sh", "-c", "stat -c %U:%a /home/anna/Maildir/new/* "+
		"/home/bert/Maildir/new/*"); owners != "anna:600\nbert:600\n" {
		t.Errorf("the messages are %q", owners)
	}
	m.run(t, "systemctl", "reload", "doorstep")
	m.run(t, "doorstep", "upgrade")
	m.run(t, "doorstep", "send", "--server", "unix:"+lmtp, "--to", "anna@example.org", "--to", "bert@example.org")
}

// testPurge: nothing is left but mail, and the user whose it is.
func testPurge(t *testing.T, m *machine) {
	m.run(t, "apt-get", "-qq", "-y", "purge", "doorstep")
	m.properties(t, service, "LoadState", "not-found")
	m.properties(t, socket, "LoadState", "not-found")
	if left := m.run(t, "sh", "-c", "ls -d /etc/doorstep /run/doorstep /etc/systemd/system/*/doorstep* "+
		"/usr/bin/doorstep 2>/dev/null || true"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	if failed := m.run(t, "systemctl", "--failed", "--no-legend", "--plain"); strings.Contains(failed, "doorstep") {
		t.Errorf("systemd remembers:\n%s", failed)
	}
	if countMessages(t, m) == 0 {
		t.Error("mail is gone")
	}
}
