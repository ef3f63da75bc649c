package peer

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// OpenSMTPDConfig says what an OpenSMTPD instance does with mail.
type OpenSMTPDConfig struct {
	// Deliver is where all mail goes by LMTP: "inet:127.0.0.1:2424" or "unix:/path", by its
	// mail.lmtp, one recipient at a time, or "lmtp://127.0.0.1:2424", as to another host. To
	// "smtp+notls://127.0.0.1:25" it goes by ESMTP.
	Deliver string
	// TTL is how long it tries to deliver before it bounces.
	TTL time.Duration
	// Brief is a recipient for whom it tries for a second only.
	Brief string
}

// An OpenSMTPD is a running instance.
type OpenSMTPD struct {
	*Process
	// Addr is its SMTP server, on loopback.
	Addr string

	tb  testing.TB
	dir string
}

// StartOpenSMTPD starts an instance: SMTP in, LMTP out through its mail.lmtp, no DNS.
//
// The paths of its queue, its helpers, its chroot and its control socket are built in. It gets a
// mount namespace of its own, in which directories of the instance lie over those of the system.
func StartOpenSMTPD(tb testing.TB, c OpenSMTPDConfig) *OpenSMTPD {
	tb.Helper()
	Need(tb, "opensmtpd")
	port := FreePort(tb)
	o := &OpenSMTPD{Addr: net.JoinHostPort("127.0.0.1", port), tb: tb, dir: Dir(tb)}
	makeDirs(tb, o.dir, "lib", "libexec", "libexec/opensmtpd", "run", "spool", "spool/smtpd", "state", "state/opensmtpd",
		"state/opensmtpd/empty")
	if err := os.Chmod(o.path("spool/smtpd"), 0o711); err != nil { // it insists
		tb.Fatal(err)
	}
	o.install()
	write(tb, o.path("smtpd.conf"), o.config(port, c)...)

	script := "set -e; cd " + o.dir + "\n"
	for from, to := range map[string]string{"spool": "/var/spool", "libexec": "/usr/libexec", "state": "/var/lib",
		"run": "/run"} {
		script += "mount --bind " + from + " " + to + "\n"
	}
	// -d: in the foreground, with its log on standard error. It starts itself again for each of
	// its processes, by the path that it was started with.
	cmd := exec.Command("/bin/sh", "-c", script+"exec "+o.path("opensmtpd")+" -d -f smtpd.conf")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+o.path("lib"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	o.Process = Start(tb, cmd)
	AwaitListener(tb, o.Process, "tcp", o.Addr)
	return o
}

// install copies the program and its helpers.
func (o *OpenSMTPD) install() {
	o.tb.Helper()
	installAside(o.tb, o.dir, "opensmtpd")
	program, err := look("opensmtpd")
	if err != nil {
		o.tb.Fatal(err)
	}
	copyFile(o.tb, filepath.Join(filepath.Dir(program), "smtpctl"), o.path("smtpctl"))
	helpers := glob(o.tb, filepath.Join(filepath.Dir(program), "../libexec/opensmtpd/*"))
	for _, helper := range helpers {
		copyFile(o.tb, helper, o.path("libexec/opensmtpd/"+filepath.Base(helper)))
	}
}

func (o *OpenSMTPD) path(name string) string { return filepath.Join(o.dir, name) }

// config returns the configuration file: mail is taken from any sender, and has one way out.
func (o *OpenSMTPD) config(port string, c OpenSMTPDConfig) []string {
	lines := []string{
		"listen on 127.0.0.1 port " + port + " hostname mx.example",
		"smtp max-message-size 50M",
		"queue ttl " + strconv.Itoa(int(c.TTL.Seconds())) + "s",
		`table everybody { "@" = "mail" }`, // the user that runs mail.lmtp
		`action "out" ` + c.action(),
	}
	if c.Brief != "" {
		lines = append(lines, `action "brief" `+c.action()+" ttl 1s",
			`match from any for rcpt-to "`+c.Brief+`" action "brief"`)
	}
	return append(lines, `match from any for any action "out"`)
}

// action returns the way out.
func (c OpenSMTPDConfig) action() string {
	if strings.Contains(c.Deliver, "://") {
		return `relay host "` + c.Deliver + `"`
	}
	// One user of the system runs mail.lmtp for all recipients.
	destination := strings.TrimPrefix(strings.TrimPrefix(c.Deliver, "unix:"), "inet:")
	return `lmtp "` + destination + `" rcpt-to virtual <everybody>`
}

// attemptLine is what it logs of an attempt: by mail.lmtp, and by its own client.
var attemptLine = regexp.MustCompile(`(?m)^\S+ m[dt]a delivery evpid=\S+ from=<\S*> to=<(\S+)> .* result="?(\w+)"? stat=(.*)$`)

// Deliveries returns the attempts so far, with Postfix's words for how they ended. Text is what the
// server said; DSN is not logged.
func (o *OpenSMTPD) Deliveries() (list []Delivery) {
	o.tb.Helper()
	status := map[string]string{"Ok": "sent", "PermFail": "bounced", "TempFail": "deferred"}
	for _, m := range attemptLine.FindAllStringSubmatch(o.Output(), -1) {
		list = append(list, Delivery{To: m[1], Status: status[m[2]], Text: m[3]})
	}
	return list
}

// Flush makes the instance try all deferred mail again now.
func (o *OpenSMTPD) Flush() {
	o.tb.Helper()
	group, err := user.LookupGroup("opensmtpq") // smtpctl insists on it
	if err != nil {
		o.tb.Fatal(err)
	}
	gid, _ := strconv.ParseUint(group.Gid, 10, 32) // numeric on every Unix
	// The socket that smtpctl talks to is in the namespace of the instance.
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(o.Pid()), "-m", o.path("smtpctl"), "schedule", "all")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+o.path("lib"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Gid: uint32(gid)}}
	if out, err := cmd.CombinedOutput(); err != nil {
		o.tb.Errorf("smtpctl schedule: %v: %s", err, out)
	}
}

// AwaitIdle waits until the queue is empty: everything is delivered or bounced.
func (o *OpenSMTPD) AwaitIdle(patience time.Duration) {
	o.tb.Helper()
	awaitEmpty(o.tb, patience, "OpenSMTPD", o.queued)
}

// queued counts the envelopes in the queue: a message is a directory, each of its recipients a
// file in there.
func (o *OpenSMTPD) queued() int {
	return len(glob(o.tb, o.path("spool/smtpd/queue/*/*/*"))) + len(glob(o.tb, o.path("spool/smtpd/incoming/*")))
}
