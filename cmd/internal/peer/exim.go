package peer

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// EximConfig says what an Exim instance does with mail.
type EximConfig struct {
	// Deliver is where all mail goes: "inet:127.0.0.1:2424", by its smtp transport, which
	// knows SMTPUTF8, or "unix:/path", by its lmtp transport, which does not. Either way it
	// speaks LMTP; to "smtp:127.0.0.1:25" its smtp transport speaks ESMTP.
	Deliver string
	// Transport are further options of the transport. After Deliver "" they are the whole of it.
	Transport []string
	// Main are further lines of the main section.
	Main []string
}

// An Exim is a running instance.
type Exim struct {
	*Process
	// Addr is its SMTP server, on loopback.
	Addr string

	tb  testing.TB
	dir string
}

// StartExim starts an instance: SMTP in, LMTP out, no DNS, nothing rewritten.
func StartExim(tb testing.TB, c EximConfig) *Exim {
	tb.Helper()
	Need(tb, "exim4")
	port := FreePort(tb)
	e := &Exim{Addr: net.JoinHostPort("127.0.0.1", port), tb: tb, dir: Dir(tb)}
	makeDirs(tb, e.dir, "spool", "log", "lib")
	own(tb, "Debian-exim", e.path("spool"), e.path("log")) // the user under whom it receives and delivers
	installAside(tb, e.dir, "exim4")
	write(tb, e.path("exim.conf"), e.config(port, c)...)

	// -bdf: a daemon in the foreground. -q1s: look after the queue every second.
	cmd := exec.Command(e.path("exim4"), "-C", e.path("exim.conf"), "-bdf", "-q1s")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+e.path("lib"))
	e.Process = Start(tb, cmd)
	showLog(tb, "Exim", e.Log)
	AwaitListener(tb, e.Process, "tcp", e.Addr)
	return e
}

func (e *Exim) path(name string) string { return filepath.Join(e.dir, name) }

// config returns the configuration file: mail is taken from any sender, and has one way out.
func (e *Exim) config(port string, c EximConfig) []string {
	lines := append([]string{
		"primary_hostname = mx.example",
		"exim_path = " + e.path("exim4"), // what it runs to write a bounce
		"spool_directory = " + e.path("spool"),
		"log_file_path = " + e.path("log/%slog"),
		"pid_file_path = " + e.path("pid"),
		"local_interfaces = 127.0.0.1",
		"daemon_smtp_ports = " + port,
		"message_size_limit = 50M",
		"smtputf8_advertise_hosts = *",
		"tls_advertise_hosts =",
		"host_lookup =", // no DNS
		"acl_smtp_rcpt = accept",
		"acl_smtp_data = accept",
		"deliver_drop_privilege = true", // nothing here is delivered by another user
		"keep_environment = LD_LIBRARY_PATH",
	}, c.Main...)
	lines = append(lines,
		"begin routers",
		"out:",
		"  driver = accept",
		"  transport = out",
		"begin transports",
		"out:",
	)
	if socket, ok := strings.CutPrefix(c.Deliver, "unix:"); ok {
		lines = append(lines, "  driver = lmtp", "  socket = "+socket, "  batch_max = 100")
	} else if c.Deliver != "" {
		network, addr, _ := strings.Cut(c.Deliver, ":")
		protocol := map[string]string{"inet": "lmtp", "smtp": "smtp"}[network]
		host, port, _ := net.SplitHostPort(addr)
		lines = append(lines, "  driver = smtp", "  protocol = "+protocol, "  hosts = "+host, "  port = "+port,
			"  hosts_override", "  allow_localhost", "  max_rcpt = 1000")
	}
	for _, option := range c.Transport {
		lines = append(lines, "  "+option)
	}
	return append(lines, "begin retry", "* * F,1h,1s")
}

// Log is the instance's log so far, of deliveries and of trouble.
func (e *Exim) Log() string {
	e.tb.Helper()
	return read(e.tb, e.path("log/mainlog")) + read(e.tb, e.path("log/paniclog"))
}

// eximDelivery is a line of the log: "DATE TIME QUEUE => a <a@b.example> R=out T=out H=… K C="250 …"".
var eximDelivery = regexp.MustCompile(`(?m)^\S+ \S+ (\S+) (=>|->|\*\*|==) (?:\S+ <)?([^\s>]+)>? R=out T=out(.*)$`)

// Deliveries returns the attempts so far, with Postfix's words for how they ended. Text is what the
// log says after the names of router and transport: "K" for BDAT, "PRDR", what the server said.
func (e *Exim) Deliveries() (list []Delivery) {
	e.tb.Helper()
	status := map[string]string{"=>": "sent", "->": "sent", "**": "bounced", "==": "deferred"}
	for _, m := range eximDelivery.FindAllStringSubmatch(e.Log(), -1) {
		if strings.HasSuffix(m[4], "Retry time not yet reached") {
			continue // no attempt
		}
		list = append(list, Delivery{Queue: m[1], To: m[3], Status: status[m[2]], Text: m[4]})
	}
	return list
}

// AwaitIdle waits until the queue is empty: everything is delivered or bounced.
func (e *Exim) AwaitIdle(patience time.Duration) {
	e.tb.Helper()
	awaitEmpty(e.tb, patience, "Exim", e.queued)
}

// queued counts the messages in the queue.
func (e *Exim) queued() int {
	entries, err := os.ReadDir(e.path("spool/input"))
	if err != nil && !os.IsNotExist(err) {
		e.tb.Fatal(err)
	}
	return len(entries)
}
