package peer

import (
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
)

// SendmailConfig says what a Sendmail instance does with mail.
type SendmailConfig struct {
	// MC is the end of its sendmail.mc, with the mailers.
	MC string
	// Tables are further files of its /etc/mail, by name: "mailertable".
	Tables map[string]string
}

// A Sendmail is a running instance.
type Sendmail struct {
	*Process
	// Addr is its SMTP server, on loopback.
	Addr string

	tb  testing.TB
	dir string
}

// StartSendmail starts an instance: SMTP in, no DNS, and the rest as its configuration says.
//
// It wants a host name with a dot in it, asks /etc/hosts for it, and logs to /dev/log alone. It gets
// namespaces of its own in which it finds them.
func StartSendmail(tb testing.TB, c SendmailConfig) *Sendmail {
	tb.Helper()
	Need(tb, "sendmail")
	port := FreePort(tb)
	s := &Sendmail{Addr: net.JoinHostPort("127.0.0.1", port), tb: tb, dir: Dir(tb)}
	makeDirs(tb, s.dir, "mail", "queue", "dev")
	if err := os.Chmod(s.path("queue"), 0o700); err != nil { // it insists
		tb.Fatal(err)
	}
	s.configure(port, c)
	s.keepLog()

	script := "set -e; cd " + s.dir + "\n"
	for _, device := range []string{"null", "zero", "random", "urandom"} {
		write(tb, s.path("dev/"+device))
		script += "mount --bind /dev/" + device + " dev/" + device + "\n"
	}
	script += "mount --bind dev /dev; mount --bind hosts /etc/hosts; echo mx.example >/proc/sys/kernel/hostname\n"
	// -bD: a daemon in the foreground. -q1s: look after the queue every second.
	cmd := exec.Command("/bin/sh", "-c",
		script+"exec "+s.program("sendmail")+" -C "+s.path("mail/sendmail.cf")+" -bD -q1s")
	cmd.Env = s.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	s.Process = Start(tb, cmd)
	showLog(tb, "Sendmail", s.Log)
	AwaitListener(tb, s.Process, "tcp", s.Addr)
	return s
}

func (s *Sendmail) path(name string) string { return filepath.Join(s.dir, name) }

// program is one of the programs in Sendmail's own directory, or beside it.
func (s *Sendmail) program(name string) string {
	s.tb.Helper()
	sendmail, err := look("sendmail")
	if err != nil {
		s.tb.Fatal(err)
	}
	return filepath.Join(filepath.Dir(sendmail), name)
}

// environment lets the programs find the libraries that were unpacked with them.
func (s *Sendmail) environment() []string {
	usr := s.program("../..")
	return append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(glob(s.tb, usr+"/lib/*-linux-*"), ":"))
}

// configure writes /etc/mail and has m4 make sendmail.cf, as Debian's package does.
func (s *Sendmail) configure(port string, c SendmailConfig) {
	s.tb.Helper()
	tables := map[string]string{
		"aliases": "", "local-host-names": "", "trusted-users": "", "relay-domains": "",
		"service.switch": "hosts files\naliases files\n", "../hosts": "127.0.0.1 mx.example localhost\n",
		"sendmail.mc": strings.Join(s.mc(port), "\n") + "\n" + c.MC,
	}
	for name, text := range c.Tables {
		tables[name] = text
	}
	for name, text := range tables {
		write(s.tb, s.path("mail/"+name), text)
	}
	m4, err := exec.LookPath("m4")
	if err != nil {
		m4 = s.program("../../bin/m4")
	}
	cf := s.run("", m4, "-D_CF_DIR_="+s.program("../../share/sendmail/cf")+"/", s.path("mail/sendmail.mc"))
	write(s.tb, s.path("mail/sendmail.cf"), cf)
	s.run(tables["mailertable"], s.program("makemap"), "-C", s.path("mail/sendmail.cf"), "hash",
		s.path("mail/mailertable"))
}

// mc is the beginning of sendmail.mc: Debian's, with the directories of the instance and without
// DNS.
func (s *Sendmail) mc(port string) []string {
	cf := s.program("../../share/sendmail/cf")
	return []string{
		"define(`MAIL_SETTINGS_DIR', `" + s.path("mail") + "/')dnl",
		"include(`" + cf + "/m4/cf.m4')dnl",
		"include(`" + cf + "/debian/autoconf.m4')dnl",
		"OSTYPE(`debian')dnl",
		"define(`confDOMAIN_NAME', `mx.example')dnl",
		"define(`confPID_FILE', `" + s.path("pid") + "')dnl",
		"define(`QUEUE_DIR', `" + s.path("queue") + "')dnl",
		"define(`STATUS_FILE', `" + s.path("statistics") + "')dnl",
		"define(`confHOST_STATUS_DIRECTORY')dnl",
		"define(`confSERVICE_SWITCH_FILE', `" + s.path("mail/service.switch") + "')dnl",
		"define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')dnl", // below /tmp
		"define(`confQUEUE_LA', `1000')dnl",                      // a machine that is busy with tests is no reason to wait
		"define(`confREFUSE_LA', `1000')dnl",
		"FEATURE(`use_cw_file')dnl",
		"FEATURE(`no_default_msa')dnl",
		"DAEMON_OPTIONS(`Family=inet, Name=MTA, Port=" + port + ", Addr=127.0.0.1')dnl",
		"FEATURE(`nocanonify')dnl",
		"FEATURE(`accept_unresolvable_domains')dnl",
	}
}

// run runs one of the tools, which has nothing to complain about, and returns its output.
func (s *Sendmail) run(stdin, program string, args ...string) string {
	s.tb.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = s.environment()
	var complaints strings.Builder
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &complaints
	out, err := cmd.Output()
	said := strings.ReplaceAll(complaints.String(), "WARNING: World writable directory /tmp\n", "") // known
	if err != nil || said != "" {
		s.tb.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, said)
	}
	return string(out)
}

// keepLog writes what comes to the instance's /dev/log to a file.
func (s *Sendmail) keepLog() {
	s.tb.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path("dev/log"), Net: "unixgram"})
	if err != nil {
		s.tb.Fatal(err)
	}
	log, err := os.Create(s.path("log"))
	if err != nil {
		s.tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		line := make([]byte, 64<<10)
		for {
			n, err := l.Read(line)
			if err != nil {
				return // closed
			}
			fmt.Fprintf(log, "%s\n", line[:n])
		}
	}()
	s.tb.Cleanup(func() {
		_ = l.Close() // ends the reader
		<-ended
		_ = log.Close() // a log that is short fails the test that looks into it
	})
}

// Log is the instance's log so far.
func (s *Sendmail) Log() string {
	s.tb.Helper()
	return read(s.tb, s.path("log"))
}

// sendmailDelivery is a line of the log: "QUEUE: to=<a@b>,<c@d>, delay=…, mailer=doorstep, …,
// dsn=2.0.0, reply=…, stat=Sent".
var sendmailDelivery = regexp.MustCompile(`(?m): (\w+): to=(\S+), (?:\[more\], )?(?:ctladdr=.*?, )?delay=.*, mailer=doorstep, .*dsn=([\d.]+), (.*stat=(.*))$`)

// Deliveries returns the attempts so far, with Postfix's words for how they ended. Text is what the
// log says at the end: "reply=550 …, stat=User unknown".
func (s *Sendmail) Deliveries() (list []Delivery) {
	s.tb.Helper()
	for _, m := range sendmailDelivery.FindAllStringSubmatch(s.Log(), -1) {
		status := "bounced"
		switch {
		case strings.HasPrefix(m[5], "Sent"):
			status = "sent"
		case strings.HasPrefix(m[5], "Deferred"):
			status = "deferred"
		}
		for to := range strings.SplitSeq(m[2], ",") {
			list = append(list, Delivery{Queue: m[1], To: strings.Trim(to, "<>"), Status: status, DSN: m[3], Text: m[4]})
		}
	}
	return list
}

// AwaitIdle waits until the queue is empty: everything is delivered or bounced.
func (s *Sendmail) AwaitIdle(patience time.Duration) {
	s.tb.Helper()
	awaitEmpty(s.tb, patience, "Sendmail", s.queued)
}

func (s *Sendmail) queued() int { return len(glob(s.tb, s.path("queue/*"))) }
