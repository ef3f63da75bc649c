package peer

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// PostfixConfig says what a Postfix instance does with mail.
type PostfixConfig struct {
	// Deliver is where mail for Domains goes: "lmtp:unix:/path", "lmtp:inet:127.0.0.1:2424".
	Deliver string
	// Domains are those whose recipients are all accepted and handed over, whether they exist
	// or not; other domains are refused. Senders in them get their bounces the same way.
	Domains []string
	// Params are further lines "name = value" of main.cf.
	Params []string
	// Services are further entries of master.cf.
	Services []string
}

// A Postfix is a running instance.
type Postfix struct {
	*Process
	// Addr is its SMTP server, on loopback.
	Addr string

	tb  testing.TB
	dir string
}

// StartPostfix starts an instance: SMTP in, LMTP out, no DNS, nothing rewritten.
func StartPostfix(tb testing.TB, c PostfixConfig) *Postfix {
	tb.Helper()
	Need(tb, "postfix")
	p := &Postfix{Addr: net.JoinHostPort("127.0.0.1", FreePort(tb)), tb: tb, dir: Dir(tb)}
	makeDirs(tb, p.dir, "etc", "queue", "data", "log")
	own(tb, "postfix", p.path("data")) // only it writes there
	write(tb, p.path("etc/main.cf"), p.main(c)...)
	write(tb, p.path("etc/master.cf"), append(p.services(), c.Services...)...)
	p.tool("postfix", "check") // makes what is in the queue directory

	daemons := strings.TrimSpace(p.tool("postconf", "-xh", "daemon_directory"))
	// -s: stay in the session that Start makes. SIGTERM to the master ends all its daemons. It
	// comes from a shell, as a process that changes its user, as the master does, loses the
	// signal of its parent's death (PR_SET_PDEATHSIG).
	p.Process = Start(tb, exec.Command("sh", "-c", `"$@" & trap "kill $!" TERM; wait $!; wait $!`,
		"sh", filepath.Join(daemons, "master"), "-c", p.path("etc"), "-s"))
	showLog(tb, "Postfix", p.Log)
	AwaitListener(tb, p.Process, "tcp", p.Addr)
	// The master listens before it handles the signal of a reload, which would end it.
	Await(tb, 30*time.Second, "Postfix to be up",
		func() bool { return strings.Contains(p.Log(), ": daemon started -- ") })
	return p
}

// Queue is its queue directory, in which it makes the sockets of its services.
func (p *Postfix) Queue() string { return p.path("queue") }

func (p *Postfix) path(name string) string { return filepath.Join(p.dir, name) }

// tool runs one of Postfix's commands on this instance and returns its output. What it warns of fails the test.
func (p *Postfix) tool(name string, args ...string) string {
	p.tb.Helper()
	program, err := look(name)
	if err != nil {
		p.tb.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"-c", p.path("etc")}, args...)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		p.tb.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, complaints.String(), p.Log())
	}
	if strings.Contains(complaints.String(), "warning:") {
		p.tb.Errorf("%s %s: %s", name, strings.Join(args, " "), complaints.String())
	}
	return string(out)
}

// Run runs a line of a shell on this instance, as it stands in our pages: "postconf -F …". What it warns of fails the
// test.
func (p *Postfix) Run(line string) {
	p.tb.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+p.path("etc"), "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "warning:") {
		p.tb.Errorf("%s: %v: %s", line, err, out)
	}
}

// Submit hands over a message as programs on the same machine do, by Postfix' sendmail.
func (p *Postfix) Submit(from, to, content string) {
	p.tb.Helper()
	program, err := look("/usr/sbin/sendmail")
	if err != nil {
		p.tb.Fatal(err)
	}
	cmd := exec.Command(program, "-C", p.path("etc"), "-i", "-f", from, "--", to)
	cmd.Stdin = strings.NewReader(content)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.tb.Fatalf("sendmail -f %s: %v: %s", from, err, out)
	}
}

// Configure sets a line of main.cf, "name = value", for the mail from now on.
func (p *Postfix) Configure(line string) {
	p.tb.Helper()
	p.tool("postconf", "-e", line)
	p.tool("postfix", "reload")
}

// Flush makes the instance try all deferred mail again now.
func (p *Postfix) Flush() {
	p.tb.Helper()
	p.tool("postqueue", "-f")
}

// AwaitIdle waits until the queue is empty: everything is delivered or bounced.
func (p *Postfix) AwaitIdle(patience time.Duration) {
	p.tb.Helper()
	awaitEmpty(p.tb, patience, "Postfix", p.queued)
}

// queued counts the messages in the queue, in the order in which they move through it.
func (p *Postfix) queued() int {
	n := 0
	for _, queue := range []string{"maildrop", "incoming", "active", "deferred", "hold", "corrupt"} {
		// Files that vanish while we look have moved on, to be counted there.
		_ = filepath.WalkDir(p.path("queue/"+queue), func(_ string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				n++
			}
			return nil
		})
	}
	return n
}
